import { useElementSize } from '@vueuse/core'
import { nextTick, onActivated, onMounted, watch, type Ref } from 'vue'

import { usePreferences } from '@/common/preferences'

/** The size of a picture, in CSS pixels. */
export interface PictureSize {
  width: number
  height: number
}

/**
 * Keep a canvas that fills its host painted: sharp on every screen, and again after each change of `sources`, of
 * the size and of the colours. `recolored` is called before it is painted in other colours.
 */
export function useCanvas(
  host: Readonly<Ref<HTMLElement | null>>,
  canvas: Readonly<Ref<HTMLCanvasElement | null>>,
  paint: (context: CanvasRenderingContext2D, size: PictureSize, host: HTMLElement) => void,
  sources: () => readonly unknown[],
  recolored: () => void = () => undefined,
): void {
  const preferences = usePreferences()
  const { width, height } = useElementSize(host)

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
  watch(() => [...sources(), width.value, height.value], draw, { flush: 'post' })
  watch(() => preferences.dark, async () => {
    await nextTick()
    recolored()
    draw()
  })
}
