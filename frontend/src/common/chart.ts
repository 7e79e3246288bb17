import { n } from '@/language/text'

/** How a chart's line is drawn. */
export interface LineStyle {
  label: string
  /** Name of the colour token. */
  color: string
  /** Thinner and paler, for the single values under a mean. */
  faint?: boolean
  dash?: readonly number[]
  /** Mark every value. */
  points?: boolean
}

type Values = readonly (number | null)[]

/** A line over the chart's axis: values that are measured now and then are joined. */
export interface ChartLine extends LineStyle {
  values: Values
  /** The lowest and the highest of what the line is the mean of. */
  band?: { low: Values; high: Values } | null
}

export interface ChartPicture {
  /** Episodes, ascending. */
  xs: readonly number[]
  lines: readonly ChartLine[]
  /** The index of the values that are told. */
  hovered: number | null
}

export interface Palette {
  ink: string
  grid: string
  font: string
  /** The size of the text relative to a desk's screen; lines grow with it, for a projector. */
  scale: number
  lines: string[]
}

/** Return the theme's current colours, since a canvas does not know custom properties. */
export function chartPalette(host: HTMLElement, names: readonly string[]): Palette {
  const probe = document.createElement('span')
  host.append(probe)
  const resolve = (name: string): string => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const { fontFamily, fontSize } = getComputedStyle(host)
  const palette = {
    ink: resolve('ink-soft'),
    grid: resolve('line'),
    font: `${Math.round(Number.parseFloat(fontSize) * 0.72)}px ${fontFamily}`,
    scale: Number.parseFloat(fontSize) / 16,
    lines: names.map(resolve),
  }
  probe.remove()
  return palette
}

/** Return steps of 1, 2 or 5 times a power of ten, at most so many of them in a range. */
function stepFor(range: number, most: number): number {
  const least = range / Math.max(1, most)
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((one) => one * power >= least) ?? 10)
}

/** Return what is written along the values' axis, its ends too: round numbers that hold all values. */
export function valueTicks(low: number, high: number, most: number): number[] {
  // A single value has room on both sides.
  const room = low === high ? Math.abs(low) * 0.25 : 0
  const [from, to] = low === 0 && high === 0 ? [0, 1] : [low - room, high + room]
  const step = stepFor(to - from, most)
  const [first, last] = [Math.floor(from / step), Math.ceil(to / step)]
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)))
}

/** Return the episodes that are written along the axis: episodes are counted, so there are no halves. A narrow axis names its end. */
export function episodeTicks(first: number, last: number, most: number): number[] {
  const step = Math.max(1, stepFor(last - first, most))
  const from = Math.ceil(first / step)
  const ticks = Array.from({ length: Math.floor(last / step) - from + 1 }, (_, index) => (from + index) * step)
  return ticks.length > 0 ? ticks : [last]
}

/** Return the width for the axis' numbers, in pixels: that of five characters, so that charts align, or of the longest. */
export function labelRoom(values: readonly string[], letter: number): number {
  const longest = Math.max(0, ...values.map((value) => value.length))
  return Math.round(letter * Math.max(3.6, 0.62 * longest + 0.5))
}

/** Return the index of the episode nearest to one. */
export function nearest(xs: readonly number[], x: number): number {
  let [low, high] = [0, xs.length - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((xs[middle] ?? 0) <= x) low = middle
    else high = middle
  }
  return Math.abs((xs[high] ?? 0) - x) < Math.abs((xs[low] ?? 0) - x) ? high : low
}

/** Where a chart's numbers lie in its box. */
interface Scales {
  x: (episode: number) => number
  y: (value: number) => number
}

/** Draw lines over episodes, with both axes. Returns the episode at a distance from the left edge. */
export function drawChart(
  pen: CanvasRenderingContext2D, box: { width: number; height: number }, palette: Palette, { xs, lines, hovered }: ChartPicture,
): (left: number) => number {
  pen.clearRect(0, 0, box.width, box.height)
  const letter = Number.parseFloat(palette.font)
  const [top, bottom] = [letter * 0.5, box.height - letter * 1.9]
  const [low, high] = rangeOf(lines)
  const ticks = valueTicks(low, high, (bottom - top) / (letter * 2.4))
  const labels = ticks.map((tick) => n(tick))
  // On the right there is room for half of the last episode's number.
  const [left, right] = [labelRoom(labels, letter), box.width - letter * 1.4]
  const first = xs[0] ?? 1
  const last = Math.max(xs.at(-1) ?? 1, first + 1)
  const [from, to] = [ticks[0] ?? 0, ticks.at(-1) ?? 1]
  const scales: Scales = {
    x: (episode) => left + ((episode - first) / (last - first)) * (right - left),
    y: (value) => bottom - ((value - from) / (to - from)) * (bottom - top),
  }
  Object.assign(pen, { font: palette.font, fillStyle: palette.ink, strokeStyle: palette.grid, lineWidth: 1, lineJoin: 'round', textBaseline: 'middle', textAlign: 'right' })
  ticks.forEach((tick, index) => {
    // On whole pixels, so that they are sharp.
    const y = Math.round(scales.y(tick)) + 0.5
    rule(pen, left, y, right, y)
    pen.fillText(labels[index] ?? '', left - letter * 0.4, y)
  })
  pen.textAlign = 'center'
  for (const tick of episodeTicks(first, last, (right - left) / (letter * 5))) {
    const x = Math.round(scales.x(tick)) + 0.5
    rule(pen, x, top, x, bottom)
    pen.fillText(n(tick), x, box.height - letter * 0.9)
  }
  lines.forEach((line, index) => { drawLine(pen, palette, palette.lines[index] ?? palette.ink, scales, xs, line) })
  if (hovered !== null) drawHovered(pen, palette, scales, { xs, lines, hovered }, top, bottom)
  return (distance) => first + ((distance - left) / (right - left)) * (last - first)
}

function rangeOf(lines: readonly ChartLine[]): [number, number] {
  let [low, high] = [Infinity, -Infinity]
  for (const { values, band } of lines) {
    for (const all of [values, band?.low ?? [], band?.high ?? []]) {
      for (const value of all) {
        if (value !== null && value < low) low = value
        if (value !== null && value > high) high = value
      }
    }
  }
  return low <= high ? [low, high] : [0, 1]
}

function drawLine(pen: CanvasRenderingContext2D, palette: Palette, color: string, { x, y }: Scales, xs: readonly number[], line: ChartLine): void {
  const trace = (values: Values, backwards = false): void => {
    for (let at = 0; at < xs.length; at++) {
      const index = backwards ? xs.length - 1 - at : at
      const value = values[index] ?? null
      if (value !== null) pen.lineTo(x(xs[index] ?? 0), y(value))
    }
  }
  Object.assign(pen, { strokeStyle: color, fillStyle: color, lineWidth: (line.faint ? 1.25 : 2.25) * palette.scale })
  if (line.band) {
    pen.globalAlpha = 0.18
    pen.beginPath()
    trace(line.band.low)
    trace(line.band.high, true)
    pen.fill()
  }
  pen.globalAlpha = line.faint ? 0.45 : 1
  pen.setLineDash((line.dash ?? []).map((length) => length * palette.scale))
  pen.beginPath()
  trace(line.values)
  pen.stroke()
  pen.setLineDash([])
  // A single value has no line, so it is drawn as a point.
  if (line.points || xs.length === 1) line.values.forEach((value, index) => { if (value !== null) dot(pen, x(xs[index] ?? 0), y(value), 2.5 * palette.scale) })
  pen.globalAlpha = 1
}

function drawHovered(pen: CanvasRenderingContext2D, palette: Palette, { x, y }: Scales, { xs, lines, hovered }: ChartPicture, top: number, bottom: number): void {
  const [index, at] = [hovered ?? 0, x(xs[hovered ?? 0] ?? 0)]
  Object.assign(pen, { strokeStyle: palette.ink, lineWidth: 1 })
  pen.setLineDash([4, 3])
  rule(pen, at, top, at, bottom)
  pen.setLineDash([])
  lines.forEach((line, place) => {
    const value = line.values[index] ?? null
    if (value === null || line.faint) return
    pen.fillStyle = palette.lines[place] ?? palette.ink
    dot(pen, at, y(value), 3.5 * palette.scale)
  })
}

function dot(pen: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  pen.beginPath()
  pen.arc(x, y, radius, 0, 2 * Math.PI)
  pen.fill()
}

/** Draw a straight line. */
export function rule(pen: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number): void {
  pen.beginPath()
  pen.moveTo(fromX, fromY)
  pen.lineTo(toX, toY)
  pen.stroke()
}
