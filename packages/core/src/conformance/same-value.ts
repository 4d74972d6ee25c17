/** Whether two payloads are the same to a reader: fields left out and fields that are undefined do not differ. */
export function sameValue(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return left === right
  if (left instanceof Date || right instanceof Date)
    return left instanceof Date && right instanceof Date && left.getTime() === right.getTime()
  if (left instanceof Uint8Array || right instanceof Uint8Array)
    return left instanceof Uint8Array && right instanceof Uint8Array && Buffer.from(left).equals(right)
  if (Array.isArray(left) !== Array.isArray(right)) return false
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  for (const name of names)
    if (!sameValue((left as Record<string, unknown>)[name], (right as Record<string, unknown>)[name])) return false
  return !Array.isArray(left) || left.length === (right as readonly unknown[]).length
}
