# Writes the texts of FILES as C++ string literals into OUT.
set(text "")
foreach(file ${FILES})
  file(READ ${file} content)
  # The later one of two functions of a name would be taken for both.
  string(REGEX MATCHALL "(^|\n)def [A-Za-z0-9_]+" names "${content}")
  foreach(name ${names})
    string(REGEX REPLACE "\n?def " "" name "${name}")
    if(DEFINED place_${name})
      message(FATAL_ERROR
        "the prelude defines ${name} twice: in ${place_${name}} and in ${file}")
    endif()
    set(place_${name} ${file})
  endforeach()
  # LibTorch's own resolver knows ops only: a dtype is the number of it.
  foreach(dtype uint8=0 int8=1 int16=2 int32=3 int64=4 float16=5 float32=6
                float64=7 bool=11 bfloat16=15)
    string(REPLACE "=" ";" dtype ${dtype})
    list(GET dtype 0 name)
    list(GET dtype 1 number)
    string(REPLACE "torch.${name}" "${number}" content "${content}")
  endforeach()
  # Compilers bound the length of one literal.
  string(REPLACE "\ndef " "\n)EVOX\" R\"EVOX(def " content "${content}")
  string(APPEND text "R\"EVOX(${content}\n)EVOX\"\n")
endforeach()
file(WRITE ${OUT} "${text}")
