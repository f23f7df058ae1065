# Writes the texts of FILES as C++ string literals into OUT.
set(text "")
foreach(file ${FILES})
  file(READ ${file} content)
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
