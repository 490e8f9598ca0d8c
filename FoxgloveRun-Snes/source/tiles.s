; The level's metatiles: 16 x 16 pixels each, 16 bytes per column of the level, 14 of them used.

TILE_EMPTY   = 0
TILE_SOLID   = 2
TILE_ONE_WAY = 4                ; stops only what falls on it
TILE_COIN    = 6
TILE_BOX     = 8                ; gives a coin when hit from below

ROWS = 224

; Give in A the kind of the tile at level column X, row Y (pixels, signed). Sets tile_index.
.proc tile_at
        cpy #ROWS
        bcs @outside            ; above the screen, too: rows are negative there
        txa
        and #$FFF0
        sta t0
        tya
        lsr
        lsr
        lsr
        lsr
        ora t0
        cmp #MAX_COLUMNS * 16
        bcs @outside
        sta tile_index
        tax
        lda level_map,x
        and #$FF
        asl
        tax
        lda tile_kinds,x
        rts
@outside:
        lda #TILE_EMPTY
        rts
.endproc

; Put metatile A where tile_at has looked, and have it drawn.
.proc change_tile
        ldx tile_index
        sta t0
        sep #$20
        sta level_map,x
        rep #$20
        ldx changes
        cpx #MAX_CHANGES * 2
        bcs @done
        lda t0
        asl
        tay
        lda tile_words,y
        sta change_word,x
        ; The map in video RAM is 32 x 32 words: row * 32 + column.
        lda tile_index
        and #$000F
        asl
        asl
        asl
        asl
        asl
        sta t0
        lda tile_index
        lsr
        lsr
        lsr
        lsr
        and #$1F
        ora t0
        clc
        adc #VRAM_LEVEL_MAP
        sta change_target,x
        inx
        inx
        stx changes
@done:  rts
.endproc

; Put the words of the next column that is not drawn yet into column_words.
.proc prepare_column
        lda drawn_columns
        and #$1F
        clc
        adc #VRAM_LEVEL_MAP
        sta column_target
        lda drawn_columns
        asl
        asl
        asl
        asl
        tax
        inc drawn_columns
        ldy #0
@row:   lda level_map,x
        and #$FF
        phx
        asl
        tax
        lda tile_words,x
        sta column_words,y
        plx
        inx
        iny
        iny
        cpy #28
        bne @row
        rts
.endproc
