; Short-lived pictures: a coin jumping out of a box, a sparkle, points won.

EFFECT_COIN    = 0
EFFECT_SPARKLE = 2
EFFECT_POINTS  = 4

EFFECT_FRAMES = 28

.proc clear_effects
        ldx #EFFECT_SLOTS * 2 - 2
@clear: stz effect_frames,x
        dex
        dex
        bpl @clear
        rts
.endproc

; Start effect A with its middle at level column t2, row t3. Nothing happens if all slots are taken.
.proc add_effect
        tay
        ldx #EFFECT_SLOTS * 2 - 2
@find:  lda effect_frames,x
        beq @free
        dex
        dex
        bpl @find
        rts
@free:  tya
        sta effect_kind,x
        lda #EFFECT_FRAMES
        sta effect_frames,x
        lda t2
        sta effect_x,x
        lda t3
        sta effect_y,x
        rts
.endproc

.proc run_effects
        ldx #EFFECT_SLOTS * 2 - 2
@slot:  lda effect_frames,x
        beq @next
        dec effect_frames,x
        lda effect_kind,x
        cmp #EFFECT_SPARKLE
        beq @next
        cmp #EFFECT_COIN
        beq @coin
        lda effect_frames,x
        and #1
        bne @next
        dec effect_y,x
        bra @next
@coin:  ; Up for the first half, then down.
        lda effect_frames,x
        sec
        sbc #EFFECT_FRAMES / 2 - 2
        bpl @up
        lda effect_y,x
        inc
        inc
        sta effect_y,x
        bra @next
@up:    lda effect_y,x
        sec
        sbc #3
        sta effect_y,x
@next:  dex
        dex
        bpl @slot
        rts
.endproc

.proc draw_effects
        ldx #EFFECT_SLOTS * 2 - 2
@slot:  lda effect_frames,x
        beq @next
        lda effect_x,x
        sec
        sbc window_column
        sec
        sbc #8
        sta sprite_x
        lda effect_y,x
        sec
        sbc #8
        sta sprite_y
        phx
        lda effect_frames,x
        lsr
        lsr
        and #3
        asl
        sta t0
        lda effect_kind,x
        asl
        asl
        ora t0
        tax
        lda pictures,x
        sta sprite_look
        jsr add_sprite
        plx
@next:  dex
        dex
        bpl @slot
        rts

pictures:
        .word THING_COIN_1, THING_COIN_2, THING_COIN_3, THING_COIN_2
        .word THING_SPARKLE_1, THING_SPARKLE_2, THING_SPARKLE_1, THING_SPARKLE_2
        .word THING_POINTS, THING_POINTS, THING_POINTS, THING_POINTS
.endproc
