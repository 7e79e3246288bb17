import uPlot from 'uplot'
import { n } from '@/language/text'

/** How a chart's line is drawn. */
export interface LineStyle {
  label: string
  color: string
  faint?: boolean
  dash?: number[]
  points?: boolean
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

/** Return the axis' range; a constant value gets room on both sides. */
function valueRange(low: number, high: number): [number, number] {
  if (low === high) {
    const room = Math.abs(low) * 0.25 || 1
    return [low - room, high + room]
  }
  const [from, to] = uPlot.rangeNum(low, high, 0.1, true)
  return [from ?? low, to ?? high]
}

/** Return the width for the axis' numbers, in pixels: that of five characters, so that charts align, or of the longest. */
export function labelRoom(values: readonly string[] | null, letter: number): number {
  const longest = Math.max(0, ...(values ?? []).map((value) => value.length))
  return Math.round(letter * Math.max(3.6, 0.62 * longest + 0.5))
}

/** Return uPlot's options for lines over episodes, without its legend: the figure has its own. `hover` gets the point under the pointer. */
export function chartOptions(
  lines: readonly LineStyle[],
  palette: Palette,
  size: { width: number; height: number },
  hover: (index: number | null) => void,
): uPlot.Options {
  const letter = Number.parseFloat(palette.font)
  const axis: uPlot.Axis = {
    values: (_plot, splits) => splits.map((value) => (value === null ? '' : n(value))),
    stroke: palette.ink,
    font: palette.font,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { show: false },
    gap: Math.round(letter * 0.3),
  }
  return {
    width: Math.max(1, size.width),
    height: Math.max(1, size.height),
    // On the right there is room for half of the last episode's number.
    padding: [Math.round(letter * 0.5), Math.round(letter * 1.4), 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    hooks: { setCursor: [(plot) => { hover(plot.cursor.idx ?? null) }] },
    scales: {
      x: {
        time: false,
        range: (_plot, low, high) => {
          const first = Number.isFinite(low) ? Math.max(1, low) : 1
          return [first, Math.max(Number.isFinite(high) ? high : 1, first + 1)]
        },
      },
      y: { range: (_plot, low, high) => valueRange(low, high) },
    },
    axes: [
      {
        ...axis,
        space: letter * 5,
        size: Math.round(letter * 1.9),
        // Episodes are counted: no halves.
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000],
      },
      { ...axis, space: letter * 2.4, size: (_plot, values) => labelRoom(values, letter) },
    ],
    series: [
      {},
      ...lines.map((line, index): uPlot.Series => ({
        label: line.label,
        stroke: palette.lines[index] ?? palette.ink,
        alpha: line.faint ? 0.45 : 1,
        width: (line.faint ? 1.25 : 2.25) * palette.scale,
        dash: (line.dash ?? []).map((length) => length * palette.scale),
        // Values that are measured now and then are joined.
        spanGaps: true,
        // A single value has no line, so it is drawn as a point.
        points: { show: (plot) => (line.points ?? false) || plot.data[0].length === 1, size: 5 * palette.scale },
      })),
    ],
  }
}
