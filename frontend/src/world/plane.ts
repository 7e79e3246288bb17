/** Return the style of a plane of so many cells: as wide as its room, or less where it is higher than wide. */
export function planeStyle(width: number, height: number): { aspectRatio: string; width: string } {
  return { aspectRatio: `${width} / ${height}`, width: height > width ? `${(100 * width) / height}%` : '100%' }
}
