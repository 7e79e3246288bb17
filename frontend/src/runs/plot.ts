import type { Palette } from '@/common/chart'
import type { OverlayLine } from '@/runs/curves'

/** Colours of which no two share a stroke. */
const SOLID = 4

export function hueToken(hue: number): string {
  return `run-${1 + (hue % 8)}`
}

export function dashOf(hue: number): number[] {
  return hue % 8 < SOLID ? [] : [7, 4]
}

/** Draw a chart with its title and legend on a canvas of its own, as it is on screen. */
export function pictureOf(
  canvas: HTMLCanvasElement, title: string, lines: readonly OverlayLine[], palette: Palette, paper: string,
): HTMLCanvasElement {
  const ratio = canvas.width / canvas.clientWidth
  const letter = Math.round(Number.parseFloat(palette.font) * 1.25 * ratio)
  const row = Math.round(letter * 1.7)
  const picture = document.createElement('canvas')
  picture.width = canvas.width + 2 * letter
  picture.height = canvas.height + row * (lines.length + 2) + letter
  const pen = picture.getContext('2d')
  if (pen === null) return picture
  pen.fillStyle = paper
  pen.fillRect(0, 0, picture.width, picture.height)
  pen.fillStyle = palette.ink
  pen.textBaseline = 'middle'
  const face = palette.font.replace(/^\S+/, '')
  pen.font = `600 ${letter}px ${face}`
  pen.fillText(title, letter, row)
  pen.drawImage(canvas, letter, row * 1.75)
  pen.font = `${letter}px ${face}`
  lines.forEach((line, index) => {
    const y = canvas.height + row * (index + 2.4)
    pen.strokeStyle = palette.lines[index] ?? palette.ink
    pen.lineWidth = 3 * ratio
    pen.setLineDash(dashOf(line.hue).map((length) => length * ratio))
    pen.beginPath()
    pen.moveTo(letter, y)
    pen.lineTo(letter + 2 * row, y)
    pen.stroke()
    pen.fillText(line.label, letter + 2.4 * row, y)
  })
  return picture
}

/** Hand a file to the browser to save. */
export function download(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  // The browser has taken it over by the next turn.
  setTimeout(() => { URL.revokeObjectURL(link.href) })
}
