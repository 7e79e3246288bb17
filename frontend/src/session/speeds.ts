/** The speeds on offer, as multiples of ten steps a second: even steps to the eye, the server's whole range. */
export const SPEEDS: readonly number[] = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 7, 10]

/** The offered speed nearest to a value, in ratio. */
export function speedIndex(speed: number): number {
  let best = 0
  SPEEDS.forEach((offer, index) => {
    if (Math.abs(Math.log(offer / speed)) < Math.abs(Math.log((SPEEDS[best] ?? 1) / speed))) best = index
  })
  return best
}

/** One notch faster or slower, staying within the range. */
export function nextSpeed(speed: number, notches: number): number {
  const index = Math.min(SPEEDS.length - 1, Math.max(0, speedIndex(speed) + notches))
  return SPEEDS[index] ?? speed
}
