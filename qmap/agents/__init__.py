"""Networks, learners, replay and exploration. Nothing here knows a game."""

import os

# TensorFlow greets with pages of notes about its build, which are not for our users.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
