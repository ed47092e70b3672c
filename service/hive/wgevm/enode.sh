#!/bin/bash
# The client has no peer-to-peer network, so it has no enode URL.
echo "wgevm has no peer-to-peer network" >&2
exit 1
