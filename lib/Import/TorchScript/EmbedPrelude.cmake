# Writes the texts of FILES as C++ string literals into OUT.
set(text "")
foreach(file ${FILES})
  file(READ ${file} content)
  # Compilers bound the length of one literal.
  string(REPLACE "\ndef " "\n)EVOX\" R\"EVOX(def " content "${content}")
  string(APPEND text "R\"EVOX(${content}\n)EVOX\"\n")
endforeach()
file(WRITE ${OUT} "${text}")
