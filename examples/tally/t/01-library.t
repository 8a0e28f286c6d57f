#!/bin/sh
# Runs the tests that are written in C, under valgrind when it is asked for.
if [ -n "$TEST_NGINX_USE_VALGRIND" ]; then
    exec valgrind -q --leak-check=full build/library
fi
exec build/library
