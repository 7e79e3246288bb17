import type { IconName } from '@/common/icons'
import type { Spot } from '@/room/client'

/** In the order of the wire's stamp numbers. */
export const STAMPS = [
  { name: 'tick', icon: 'check' },
  { name: 'cross', icon: 'close' },
  { name: 'question', icon: 'question' },
  { name: 'exclamation', icon: 'exclamation' },
  { name: 'star', icon: 'star' },
  { name: 'heart', icon: 'heart' },
  { name: 'eye', icon: 'eye' },
  { name: 'flag', icon: 'flag' },
  { name: 'up', icon: 'arrow-up' },
  { name: 'down', icon: 'arrow-down' },
  { name: 'left', icon: 'arrow-left' },
  { name: 'right', icon: 'arrow-right' },
] as const satisfies readonly { name: string; icon: IconName }[]

/** The server takes no more points in a stroke. */
const MAX_POINTS = 64
/** Closer points, in cells, add nothing that one could see. */
const NEAR = 0.12

/** Add a point to a line; a line that grows too long keeps every second of its points. */
export function extended(line: readonly Spot[], to: Spot): readonly Spot[] {
  const last = line.at(-1)
  if (last !== undefined && Math.hypot(to[0] - last[0], to[1] - last[1]) < NEAR) return line
  const kept = line.length < MAX_POINTS ? line : line.filter((_, index) => index % 2 === 0)
  return [...kept.slice(0, MAX_POINTS - 1), to]
}

/** Return the head of an arrow whose two ends are given, as a path in cells. */
export function arrowHead(from: Spot, to: Spot): string {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0])
  const [left, right] = [angle + 2.6, angle - 2.6].map((side) => `${to[0] + 0.42 * Math.cos(side)} ${to[1] + 0.42 * Math.sin(side)}`)
  return `M${left ?? ''}L${to[0]} ${to[1]}L${right ?? ''}`
}

/** Return a place of the world rounded to hundredths of a cell. */
export function spotAt(event: PointerEvent, plane: Element, width: number, height: number): Spot {
  const box = plane.getBoundingClientRect()
  const within = (value: number, size: number): number => Math.round(100 * Math.min(size, Math.max(0, value))) / 100
  return [
    within(((event.clientX - box.left) / box.width) * width, width),
    within(((event.clientY - box.top) / box.height) * height, height),
  ]
}
