#!/bin/sh
# Starts the server in place of LocalStack. Test libraries replace the entrypoint of the image and
# run this file themselves, without arguments, after they have set variables.
set -eu

export SQUAB_COMPAT="${SQUAB_COMPAT:-localstack}"
# The server takes the place of this shell: signals are meant for it.
exec squab "$@"
