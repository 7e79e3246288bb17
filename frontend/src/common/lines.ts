import { useEventListener } from '@vueuse/core'
import type { Ref } from 'vue'

import { useCanvas } from '@/common/canvas'
import { type ChartPicture, type Palette, chartPalette, drawChart, nearest } from '@/common/chart'

/**
 * Keep a chart of lines over episodes painted on a canvas. `hover` gets the index of the values under the pointer, and
 * null when it leaves.
 */
export function useChart(
  host: Readonly<Ref<HTMLElement | null>>,
  canvas: Readonly<Ref<HTMLCanvasElement | null>>,
  picture: () => ChartPicture,
  hover: (index: number | null) => void,
): void {
  let palette: Palette | null = null
  let colors = ''
  let episodeAt: ((left: number) => number) | null = null
  useCanvas(host, canvas, (pen, size, element) => {
    const shown = picture()
    const names = shown.lines.map(({ color }) => color)
    if (palette === null || names.join() !== colors) [palette, colors] = [chartPalette(element, names), names.join()]
    // Without points no axis is drawn, which would move with the first one.
    if (shown.xs.length > 0) episodeAt = drawChart(pen, size, palette, shown)
    else pen.clearRect(0, 0, size.width, size.height)
  }, () => Object.values(picture()), () => { palette = null })
  useEventListener(host, 'mousemove', ({ clientX }: MouseEvent) => {
    const { left } = (host.value as HTMLElement).getBoundingClientRect()
    const { xs } = picture()
    if (episodeAt !== null && xs.length > 0) hover(nearest(xs, episodeAt(clientX - left)))
  })
  useEventListener(host, 'mouseleave', () => { hover(null) })
}
