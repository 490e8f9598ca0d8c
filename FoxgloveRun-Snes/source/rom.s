; Foxglove Run: everything the assembler needs, in one unit.
;
; Conventions: native mode, A, X and Y are 16 bits wide when a subroutine is entered and left, the
; data bank and the direct page are 0. Subroutines may change A, X and Y unless they say otherwise.

.p816
.smart +

.include "registers.inc"
.include "memory.inc"

.segment "CODE"
.a16
.i16
.include "boot.s"
.include "sound.s"
.include "main.s"
.include "video.s"
.include "title.s"
.include "level.s"
.include "tiles.s"
.include "player.s"
.include "collision.s"
.include "coins.s"
.include "death.s"
.include "fox.s"
.include "goal.s"
.include "enemies.s"
.include "effects.s"
.include "sprites.s"
.include "hud.s"

.include "data.s"
.include "header.s"
