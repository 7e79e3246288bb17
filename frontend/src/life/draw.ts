import type { LifeTrace } from '@/life/trace'
import { placeKind } from '@/world/labels'
import { METERS, filled } from '@/world/meters'

/** The rows of the picture from top to bottom, in parts of its height: events, each meter, the return. */
export const ROWS = { events: 0.9, meter: 1.15, total: 2.6 } as const
const PARTS = ROWS.events + METERS.length * ROWS.meter + ROWS.total

export const LIFE_COLORS = [
  'ink', 'ink-soft', 'line', 'sunken', 'accent', 'critical', 'critical-soft', 'series-2', 'fine',
  'bed', 'shower', 'meal', 'burger', 'briefcase', 'dumbbell', 'glass', 'tree',
] as const
export type LifeColors = Readonly<Record<(typeof LIFE_COLORS)[number], string>>

export interface LifePicture {
  trace: LifeTrace
  /** Earlier lives, whose returns are drawn beneath. */
  others: readonly LifeTrace[]
  /** The step at the right edge. */
  axis: number
  /** The step on screen. */
  step: number
  /** The step under the pointer. */
  hovered: number | null
}

interface Box { width: number; height: number }

/** Return the picture's colours as the theme has them: a canvas does not know custom properties. */
export function lifeColors(host: HTMLElement): LifeColors {
  const probe = document.createElement('span')
  host.append(probe)
  const found = LIFE_COLORS.map((name) => {
    probe.style.color = `var(--${name})`
    return [name, getComputedStyle(probe).color] as const
  })
  probe.remove()
  return Object.fromEntries(found) as LifeColors
}

/** Return the lowest and highest return of some lives, with zero and some room between. */
export function returnRange(lives: readonly LifeTrace[]): [number, number] {
  let [low, high] = [0, 0]
  for (const life of lives) {
    for (const value of life.returns) {
      if (value < low) low = value
      if (value > high) high = value
    }
  }
  const room = (high - low || 1) * 0.06
  return [low - room, high + room]
}

/** Draw a life over its steps: when it used which place, how full each meter was, and what it had earned. */
export function drawLife(context: CanvasRenderingContext2D, box: Box, colors: LifeColors, picture: LifePicture): void {
  const { trace, axis } = picture
  const unit = box.height / PARTS
  const x = (step: number): number => (step / axis) * box.width
  context.clearRect(0, 0, box.width, box.height)
  shadeTooLate(context, box, colors, picture, x)
  const xs = trace.steps.map(x)
  METERS.forEach((kind, index) => {
    const top = (ROWS.events + index * ROWS.meter) * unit
    drawMeter(context, { top: top + 1, height: ROWS.meter * unit - 2, width: box.width }, colors, xs, trace.meters[index] ?? [], kind.thresholds[0], filled(kind, 0))
  })
  const top = (ROWS.events + METERS.length * ROWS.meter) * unit + 2
  drawReturns(context, { top, height: ROWS.total * unit - 3, width: box.width }, colors, picture, x)
  drawEvents(context, box, colors, picture, unit, x)
}

/** Shade the steps at which nothing could help any more. */
function shadeTooLate(context: CanvasRenderingContext2D, box: Box, colors: LifeColors, { trace }: LifePicture, x: (step: number) => number): void {
  const chance = trace.death?.last_chance
  if (!chance) return
  context.fillStyle = colors['critical-soft']
  context.fillRect(x(chance.step), 0, x(trace.length) - x(chance.step), box.height)
}

interface Row { top: number; height: number; width: number }

function drawMeter(
  context: CanvasRenderingContext2D, row: Row, colors: LifeColors, xs: readonly number[], values: readonly number[], critical: number, zero: number,
): void {
  const y = (value: number): number => row.top + row.height * (1 - value)
  context.fillStyle = colors.sunken
  context.globalAlpha = 0.55
  context.fillRect(0, row.top, row.width, row.height)
  context.globalAlpha = 1
  area(context, xs, values, y, zero, colors.fine, 0.55)
  // What lies below the critical mark is drawn once more, in its colour.
  context.save()
  context.beginPath()
  values.forEach((value, index) => {
    if (value >= critical) return
    const from = xs[index] ?? 0
    context.rect(from, row.top, (xs[index + 1] ?? from + 2) - from, row.height)
  })
  context.clip()
  area(context, xs, values, y, zero, colors.critical, 0.95)
  context.restore()
}

function area(
  context: CanvasRenderingContext2D, xs: readonly number[], values: readonly number[], y: (value: number) => number, zero: number, color: string, alpha: number,
): void {
  const base = y(zero)
  context.beginPath()
  context.moveTo(xs[0] ?? 0, base)
  values.forEach((value, index) => { context.lineTo(xs[index] ?? 0, Math.abs(y(value) - base) < 1 ? base - 1 : y(value)) })
  context.lineTo(xs.at(-1) ?? 0, base)
  context.closePath()
  context.fillStyle = color
  context.globalAlpha = alpha
  context.fill()
  context.globalAlpha = 1
}

function drawReturns(
  context: CanvasRenderingContext2D, row: Row, colors: LifeColors, { trace, others, axis }: LifePicture, x: (step: number) => number,
): void {
  const [low, high] = returnRange([trace, ...others])
  const y = (value: number): number => row.top + row.height * (1 - (value - low) / (high - low))
  context.strokeStyle = colors.line
  context.lineWidth = 1
  context.beginPath()
  context.moveTo(0, Math.round(y(0)) + 0.5)
  context.lineTo(row.width, Math.round(y(0)) + 0.5)
  context.stroke()
  const line = (life: LifeTrace, color: string, width: number, alpha: number): void => {
    context.beginPath()
    life.returns.forEach((value, index) => {
      const step = life.steps[index] ?? 0
      if (step <= axis) context.lineTo(x(step), y(value))
    })
    Object.assign(context, { strokeStyle: color, lineWidth: width, globalAlpha: alpha, lineJoin: 'round' })
    context.stroke()
    context.globalAlpha = 1
  }
  others.forEach((life) => { line(life, colors['ink-soft'], 1.25, 0.55) })
  line(trace, colors['series-2'], 2.5, 1)
}

function drawEvents(
  context: CanvasRenderingContext2D, box: Box, colors: LifeColors, { trace, step, hovered, axis }: LifePicture, unit: number, x: (step: number) => number,
): void {
  const height = ROWS.events * unit
  const radius = Math.min(height * 0.32, 5)
  for (const marker of trace.markers) {
    const at = x(marker.step)
    if (marker.kind === 'interaction') {
      const icon = placeKind(marker.what).icon
      context.fillStyle = icon in colors ? colors[icon as keyof LifeColors] : colors.accent
      context.beginPath()
      context.roundRect(at - radius, height / 2 - radius, 2 * radius + x(marker.count - 1), 2 * radius, radius)
      context.fill()
    } else if (marker.kind === 'critical') {
      const row = METERS.findIndex((kind) => kind.name === marker.what)
      const bottom = (ROWS.events + (row + 1) * ROWS.meter) * unit - 1
      context.fillStyle = colors.critical
      context.beginPath()
      context.moveTo(at, bottom - radius * 2)
      context.lineTo(at + radius, bottom)
      context.lineTo(at - radius, bottom)
      context.fill()
    }
  }
  const rule = (at: number, color: string, dash: number[], width: number): void => {
    context.setLineDash(dash)
    Object.assign(context, { strokeStyle: color, lineWidth: width })
    context.beginPath()
    context.moveTo(at, 0)
    context.lineTo(at, box.height)
    context.stroke()
    context.setLineDash([])
  }
  const chance = trace.death?.last_chance
  if (chance) rule(x(chance.step), colors.critical, [4, 3], 1.5)
  if (trace.end !== null) rule(x(trace.length) - 1, colors.ink, [], 2)
  if (step < axis) rule(x(step), colors.accent, [], 2)
  if (hovered !== null) rule(x(hovered), colors['ink-soft'], [2, 2], 1)
}
