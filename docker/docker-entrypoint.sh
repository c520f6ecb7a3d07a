#!/bin/sh
# Starts the server as a replacement for LocalStack. Test libraries replace the image's entrypoint and
# run this file themselves, without arguments, after setting variables.
set -eu

export SQUAB_COMPAT="${SQUAB_COMPAT:-localstack}"
# The server replaces this shell, so it gets the signals.
exec squab "$@"
