# Writes a file as a raw string literal of C++, in pieces below the compiler's
# limit on their length.
file(READ ${SOURCE} text)
string(LENGTH "${text}" length)
set(result "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND result "R\"evox(${piece})evox\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUTPUT} "${result}")
