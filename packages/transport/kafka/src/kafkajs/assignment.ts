export interface AssignedMember {
  readonly id: string
  /** What it owned before. */
  readonly owned: readonly number[]
}

/** Shares partitions out evenly; a member keeps as many of those it had as its share allows. */
export function assignPartitions(members: readonly AssignedMember[], total: number): Map<string, number[]> {
  const sorted = [...members].sort((left, right) => (left.id < right.id ? -1 : 1))
  const free = new Set(Array.from({ length: total }, (_value, partition) => partition))
  const least = Math.floor(total / sorted.length)
  let larger = total % sorted.length
  const assigned = new Map<string, number[]>()
  for (const { id, owned } of sorted) {
    const kept: number[] = []
    for (const partition of owned) {
      if (kept.length === least + (larger > 0 ? 1 : 0)) break
      if (free.delete(partition)) kept.push(partition)
    }
    if (kept.length > least) larger -= 1
    assigned.set(id, kept)
  }
  for (const { id } of sorted) {
    const share = assigned.get(id)!
    while (share.length < least) {
      const [partition] = free
      if (partition === undefined) break
      free.delete(partition)
      share.push(partition)
    }
  }
  for (const partition of free) {
    const smallest = sorted
      .map(({ id }) => assigned.get(id)!)
      .reduce((left, right) => (right.length < left.length ? right : left))
    smallest.push(partition)
  }
  for (const share of assigned.values()) share.sort((left, right) => left - right)
  return assigned
}

/** What a member owns, each with the generation since which nobody else has. */
export type Owned = ReadonlyMap<number, number>

/** What is owned from a generation on; `before` is what was in the generation right before it, where this member had one. */
export function ownedNow(before: Owned | undefined, partitions: readonly number[], generation: number): Owned {
  return new Map(partitions.map((partition) => [partition, before?.get(partition) ?? generation]))
}
