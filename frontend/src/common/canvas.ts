import { useElementSize } from '@vueuse/core'
import { nextTick, onActivated, onMounted, watch, type Ref } from 'vue'

import { usePreferences } from '@/common/preferences'
import { useSight } from '@/common/sight'

/** The size of a picture, in CSS pixels. */
export interface PictureSize {
  width: number
  height: number
}

/**
 * Keep a canvas that fills its host painted: sharp on every screen, and again after each change of `sources`, of
 * the size and of the colours, once it is in sight. `recolored` is called before it is painted with other colours or in
 * another size, with which the font may differ.
 */
export function useCanvas(
  host: Readonly<Ref<HTMLElement | null>>,
  canvas: Readonly<Ref<HTMLCanvasElement | null>>,
  paint: (context: CanvasRenderingContext2D, size: PictureSize, host: HTMLElement) => void,
  sources: () => readonly unknown[],
  recolored: () => void,
): void {
  const preferences = usePreferences()
  const { width, height } = useElementSize(host)
  const seen = useSight(host)

  function draw(): void {
    const context = canvas.value?.getContext('2d')
    if (!context || !canvas.value || host.value === null || width.value === 0) return
    const ratio = window.devicePixelRatio
    const [across, down] = [Math.round(width.value * ratio), Math.round(height.value * ratio)]
    if (canvas.value.width !== across || canvas.value.height !== down) Object.assign(canvas.value, { width: across, height: down })
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    paint(context, { width: width.value, height: height.value }, host.value)
  }

  onMounted(draw)
  onActivated(draw)
  watch([width, height], () => {
    recolored()
    draw()
  }, { flush: 'post' })
  // Out of sight the sources are not even asked.
  watch(() => (seen.value ? sources() : null), (now) => { if (now !== null) draw() }, { flush: 'post' })
  // A canvas is a layer of its own, which the browser hands over anew with every refresh, changed or not.
  watch(seen, (now) => { if (canvas.value) canvas.value.style.visibility = now ? '' : 'hidden' }, { flush: 'post' })
  watch(() => preferences.dark, async () => {
    await nextTick()
    recolored()
    draw()
  })
}
