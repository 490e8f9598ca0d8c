; The main loop: one turn per frame.

SCENE_NONE  = 0
SCENE_TITLE = 2
SCENE_LEVEL = 4

MODE_TITLE     = 0
MODE_PLAYING   = 1
MODE_COMPLETED = 2

.proc main_loop
        sep #$20
        lda #$81                ; interrupt at the vertical blank, read the joypad there
        sta NMITIMEN
        rep #$20
        ; Not wai, which snes9x runs over and over until the interrupt, each time for fewer cycles of
        ; the frame than these two slow instructions.
@wait:  lda f:vblank
        beq @wait
        stz vblank
        jsr read_joypad
        jsr run_frame
        lda #1
        sta ready
        bra @wait
.endproc

.proc read_joypad
        sep #$20
@busy:  lda HVBJOY
        lsr
        bcs @busy
        rep #$20
        lda joy
        eor #$FFFF
        sta t0
        lda JOY1L
        sta joy
        and t0
        sta pressed
        rts
.endproc

.proc run_frame
        inc frame
        lda fade
        beq run_scene
        clc
        adc brightness
        sta brightness
        beq @dark
        cmp #15
        bne @fading
        stz fade
        lda scene
        cmp #SCENE_LEVEL
        bne run_scene
        sep #$20
        lda #MODE_PLAYING
        sta mode
        rep #$20
@fading:
        lda scene
        cmp #SCENE_TITLE        ; the title's buttons work at once
        beq run_scene
        rts
@dark:
        ldx next_scene
        jmp (loaders - 2,x)
run_scene:
        ldx scene
        jmp (scenes - 2,x)

loaders:
        .word .loword(load_title), .loword(load_level)
scenes: .word .loword(run_title), .loword(run_level)
.endproc

; Fade out, then load the scene in A.
.proc go_to_scene
        sta next_scene
        lda #.loword(-1)
        sta fade
        rts
.endproc
