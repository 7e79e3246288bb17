import { type Palette, rule } from '@/common/chart'
import type { Crossing } from '@/life/crossing'
import { n } from '@/language/text'

export interface LivesPicture {
  /** Of each life, its steps and what is compared at each. */
  lines: readonly { steps: readonly number[]; values: readonly number[]; over: boolean }[]
  /** The last step of the longest life. */
  longest: number
  /** Whether values are parts of 1. */
  parts: boolean
  crossings: readonly Crossing[]
  hovered: number | null
}

/** Lines differ in their strokes as well as in their colours. */
const STROKES: readonly (readonly number[])[] = [[], [10, 5], [3, 4], [12, 4, 3, 4]]
const TICKS = 3

function rangeOf({ lines, parts }: LivesPicture): [number, number] {
  if (parts) return [0, 1]
  const values = lines.flatMap((line) => line.values)
  const [low, high] = [values.reduce((least, one) => Math.min(least, one), 0), values.reduce((most, one) => Math.max(most, one), 0)]
  const room = (high - low || 1) * 0.08
  return [low - room, high + room]
}

/** Draw several lives over their steps, and rings where one overtakes another. */
export function drawLives(
  context: CanvasRenderingContext2D, box: { width: number; height: number }, palette: Palette, picture: LivesPicture,
): void {
  const [low, high] = rangeOf(picture)
  const letter = Number.parseFloat(palette.font)
  const bottom = box.height - letter * 1.6
  const x = (step: number): number => (step / picture.longest) * box.width
  const y = (value: number): number => bottom * (1 - (value - low) / (high - low))
  context.clearRect(0, 0, box.width, box.height)
  Object.assign(context, { font: palette.font, fillStyle: palette.ink, strokeStyle: palette.grid, lineWidth: 1, lineJoin: 'round' })
  for (let tick = 0; tick <= TICKS; tick++) {
    const step = Math.round((picture.longest * tick) / TICKS)
    context.textAlign = tick === 0 ? 'left' : tick === TICKS ? 'right' : 'center'
    context.fillText(n(step), x(step), box.height - letter * 0.3)
  }
  rule(context, 0, y(0), box.width, y(0))
  picture.lines.forEach(({ steps, values, over }, index) => {
    const color = palette.lines[index] ?? palette.ink
    Object.assign(context, { strokeStyle: color, lineWidth: 2.5 * palette.scale })
    context.setLineDash((STROKES[index] ?? []).map((length) => length * palette.scale))
    context.beginPath()
    values.forEach((value, row) => { context.lineTo(x(steps[row] ?? 0), y(value)) })
    context.stroke()
    context.setLineDash([])
    const [step, value] = [steps.at(-1), values.at(-1)]
    if (!over || step === undefined || value === undefined) return
    // A life's end.
    rule(context, x(step), y(value) - letter * 0.6, x(step), y(value) + letter * 0.6)
  })
  if (picture.hovered !== null) {
    Object.assign(context, { strokeStyle: palette.ink, lineWidth: 1 })
    rule(context, x(picture.hovered), 0, x(picture.hovered), bottom)
  }
  Object.assign(context, { strokeStyle: palette.ink, lineWidth: 2 * palette.scale })
  for (const { step, value } of picture.crossings) {
    context.beginPath()
    context.arc(x(step), y(value), letter * 0.5, 0, 2 * Math.PI)
    context.stroke()
  }
}
