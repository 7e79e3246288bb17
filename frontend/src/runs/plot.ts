import uPlot from 'uplot'

import { chartOptions, type Palette } from '@/common/chart'
import type { OverlayLine } from '@/runs/curves'

/** Colours of which no two share a stroke. */
const SOLID = 4

export function hueToken(hue: number): string {
  return `run-${1 + (hue % 8)}`
}

export function dashOf(hue: number): number[] {
  return hue % 8 < SOLID ? [] : [7, 4]
}

/** Return uPlot's options for lines with bands: each line's own series, and two unseen ones for its band. */
export function overlayOptions(
  lines: readonly OverlayLine[],
  palette: Palette,
  size: { width: number; height: number },
  hover: (index: number | null) => void,
): uPlot.Options {
  const styles = lines.map((line) => ({ label: line.label, color: hueToken(line.hue), dash: dashOf(line.hue) }))
  const options = chartOptions(styles, palette, size, hover)
  const bands: uPlot.Band[] = []
  lines.forEach((line, index) => {
    if (line.band === null) return
    const unseen: uPlot.Series = { label: line.label, stroke: 'transparent', width: 0, points: { show: false }, spanGaps: true }
    const first = options.series.push(unseen, unseen) - 2
    bands.push({ series: [first + 1, first], fill: faded(palette.lines[index] ?? palette.ink) })
  })
  return { ...options, bands, cursor: { ...options.cursor, points: { show: true, size: 7 * palette.scale } } }
}

export function overlayData(xs: readonly number[], lines: readonly OverlayLine[]): uPlot.AlignedData {
  const bands = lines.flatMap(({ band }) => (band === null ? [] : [band.low, band.high]))
  return [xs as number[], ...lines.map(({ values }) => values), ...bands] as uPlot.AlignedData
}

/** Return a colour, given as `rgb(...)`, that lets the lines beneath shine through. */
function faded(color: string): string {
  return color.replace('rgb(', 'rgba(').replace(')', ', 0.18)')
}

/** Draw the plot with its title and legend on a canvas of its own, as it is on screen. */
export function pictureOf(
  plot: uPlot, title: string, lines: readonly OverlayLine[], palette: Palette, paper: string,
): HTMLCanvasElement {
  const { canvas } = plot.ctx
  const ratio = canvas.width / plot.width
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
