; The screen: set-up, transfers in the vertical blank, and transfers while the screen is off.

HILLS_TOP = 96                  ; screen row where the slow band of the background ends
LAYERS = %00010111              ; sprites, BG3, BG2, BG1

.proc setup_video
        sep #$20
        lda #%01100000 | (VRAM_SPRITES >> 13)   ; 16 x 16 and 32 x 32
        sta OBSEL
        lda #(VRAM_LEVEL_MAP >> 8)
        sta BG1SC
        lda #(VRAM_FAR_MAP >> 8)
        sta BG2SC
        lda #(VRAM_TEXT_MAP >> 8)
        sta BG3SC
        lda #(VRAM_TILES >> 12) | (VRAM_BACKGROUND >> 8)
        sta BG12NBA
        lda #(VRAM_FONT >> 12)
        sta BG34NBA
        ; The first line of the screen is line 1 of the layers: take one line back.
        lda #$FF
        sta BG1VOFS
        sta BG1VOFS
        sta BG2VOFS
        sta BG2VOFS
        sta BG3VOFS
        sta BG3VOFS
        lda #LAYERS
        sta TM

        ; HDMA channel 6 scrolls the background in two bands, channel 7 colors the sky.
        lda #$02
        sta DMAP0 + $60
        lda #<BG2HOFS
        sta BBAD0 + $60
        stz A1B0 + $60
        lda #$03
        sta DMAP0 + $70
        lda #<CGADD
        sta BBAD0 + $70
        rep #$20
        lda #.loword(parallax)
        sta A1T0L + $60
        ldx #.loword(common_uploads)
        jmp upload_all
.endproc

.proc screen_off
        sep #$20
        stz NMITIMEN
        stz HDMAEN
        lda #$80
        sta INIDISP
        rep #$20
        stz brightness
        stz ready
        stz vblank
        rts
.endproc

; Fade in what was loaded while the screen was off.
.proc screen_on
        lda #1
        sta fade
        sta ready
        sep #$20
        lda RDNMI
        lda #$81
        sta NMITIMEN
        rep #$20
        rts
.endproc

; Upload a list of (address in video RAM, source, bank, size), address $FFFF ending it. X: the list.
; An address of $8000 stands for the palettes.
.proc upload_all
@next:  lda a:0,x
        cmp #$FFFF
        beq @done
        cmp #$8000
        beq @palettes
        sta VMADDL
        lda #$1801              ; words to VMDATA
        bra @transfer
@palettes:
        sep #$20
        stz CGADD
        rep #$20
        lda #$2200              ; bytes to CGDATA
@transfer:
        sta DMAP0
        lda a:2,x
        sta A1T0L
        lda a:6,x
        sta DAS0L
        sep #$20
        lda a:4,x
        sta A1B0
        lda #1
        sta MDMAEN
        rep #$20
        txa
        clc
        adc #8
        tax
        bra @next
@done:  rts
.endproc

; The vertical blank: show what the main loop has prepared.
.proc interrupt
        rep #$30
        pha
        phx
        phy
        phb
        phk
        plb
        sep #$20
        lda RDNMI
        rep #$20
        inc vblank
        lda ready
        beq @late
        stz ready
        jsr show_frame
@late:  plb
        ply
        plx
        pla
        rti
.endproc

.proc show_frame
        ; Sprites.
        stz OAMADDL
        lda #$0400              ; bytes to OAMDATA
        sta DMAP0
        lda #.loword(oam)
        sta A1T0L
        lda #544
        sta DAS0L
        sep #$20
        stz A1B0
        lda #1
        sta MDMAEN

        ; Scrolling. The clouds go by at a quarter of the level's speed, the hills at half.
        lda window_column
        sta BG1HOFS
        lda window_column + 1
        sta BG1HOFS
        rep #$20
        lda window_column
        lsr
        sta parallax + 4
        lsr
        lsr
        sta parallax + 1

        lda column_ready
        beq @no_column
        stz column_ready
        sep #$20
        lda #VMAIN_COLUMNS
        sta VMAIN
        rep #$20
        lda column_target
        sta VMADDL
        lda #$1801
        sta DMAP0
        lda #.loword(column_words)
        sta A1T0L
        lda #28
        sta DAS0L
        sep #$20
        lda #1
        sta MDMAEN
        lda #VMAIN_ROWS
        sta VMAIN
        rep #$20
@no_column:

        ldx #0
@change:
        cpx changes
        beq @changed
        lda change_target,x
        sta VMADDL
        lda change_word,x
        sta VMDATAL
        inx
        inx
        bra @change
@changed:
        stz changes

        lda text_dirty
        beq @no_text
        stz text_dirty
        lda text_target
        sta VMADDL
        lda #$1801
        sta DMAP0
        lda #.loword(text)
        sta A1T0L
        lda text_size
        sta DAS0L
        sep #$20
        stz A1B0
        lda #1
        sta MDMAEN
        rep #$20
@no_text:
        jsr turn_coins

        sep #$20
        lda hdma_channels
        sta HDMAEN
        lda brightness
        bne @bright
        lda #$80
@bright:
        sta INIDISP
        rep #$20
        rts
.endproc

; The coins of the level are tiles: every 8 frames they get the next picture.
.proc turn_coins
        lda scene
        cmp #SCENE_LEVEL
        bne @done
        lda frame
        and #7
        bne @done
        lda frame
        and #$18
        asl
        asl
        asl
        asl                     ; 128 bytes for each picture
        adc #.loword(coin_turning)
        sta A1T0L
        lda #VRAM_TILES + COIN_TILE * 16
        sta VMADDL
        lda #$1801
        sta DMAP0
        lda #64
        sta DAS0L
        sep #$20
        lda #^coin_turning
        sta A1B0
        lda #1
        sta MDMAEN
        rep #$20
        lda #VRAM_TILES + (COIN_TILE + 16) * 16
        sta VMADDL
        lda #64
        sta DAS0L
        sep #$20
        lda #1
        sta MDMAEN
        rep #$20
@done:  rts
.endproc

; The sky's colors: an HDMA table at address A in bank X, in bands from top to bottom.
.proc set_sky
        sta A1T0L + $70
        txa
        sep #$20
        sta A1B0 + $70
        rep #$20
        lda #HILLS_TOP
        sta parallax            ; the scroll values follow in every vertical blank
        lda #127
        sta parallax + 3
        stz parallax + 6
        lda #$C0
        sta hdma_channels
        rts
.endproc
