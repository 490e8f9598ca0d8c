; Levels and pictures. build/assets.inc is made by tools/make_assets.py from levels/ and art/.

.include "assets.inc"
