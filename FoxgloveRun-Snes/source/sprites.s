; Sprites: a list is built in work RAM each frame and copied in the vertical blank.

SPRITE_FLIP = $4000             ; mirrored left to right, in sprite_look

.proc hide_sprites
        jsr begin_sprites
        jmp end_sprites
.endproc

.proc begin_sprites
        stz next_sprite
        ldx #30
@clear: stz oam + 512,x
        dex
        dex
        bpl @clear
        rts
.endproc

; Move the sprites that are not used below the screen.
.proc end_sprites
        ldx next_sprite
        sep #$20
        lda #ROWS
@hide:  cpx #512
        bcs @done
        sta oam + 1,x
        inx
        inx
        inx
        inx
        bra @hide
@done:  rep #$20
        rts
.endproc

.proc add_large_sprite
        lda #2
        bra add_sized_sprite
.endproc

.proc add_sprite
        lda #0
.endproc
; Show sprite_look with its top left corner at sprite_x, sprite_y of the screen, if any of it is on
; the screen. Size in A: 0 for 16 x 16, 2 for 32 x 32.
.proc add_sized_sprite
        sta sprite_large
        lda sprite_x
        clc
        adc #32
        cmp #256 + 32
        bcs @done
        lda sprite_y
        clc
        adc #32
        cmp #ROWS + 32
        bcs @done
        ldx next_sprite
        cpx #512
        bcs @done
        lda sprite_look
        sta oam + 2,x
        sep #$20
        lda sprite_x
        sta oam,x
        lda sprite_y
        sta oam + 1,x
        ; Two bits per sprite in the last 32 bytes: column 256 and above (or negative), large.
        lda sprite_x + 1
        and #1
        ora sprite_large
        sta t0
        rep #$20
        txa
        lsr
        lsr
        tay                     ; number of the sprite
        and #3
        tax
        sep #$20
        lda t0
        cpx #0
        beq @shifted
@shift: asl
        asl
        dex
        bne @shift
@shifted:
        sta t0
        rep #$20
        tya
        lsr
        lsr
        tax
        sep #$20
        lda oam + 512,x
        ora t0
        sta oam + 512,x
        rep #$20
        lda next_sprite
        clc
        adc #4
        sta next_sprite
@done:  rts
.endproc
