import { assignPartitions, ownedNow } from '../src/kafkajs/assignment.ts'
import { range } from './raw.ts'

describe('the assignment of partitions', () => {
  test('every partition has one owner and no owner two more than another', () => {
    for (const total of [1, 6, 7, 100]) {
      for (const members of [1, 2, 3, 7, 12]) {
        const assigned = assignPartitions(
          range(members).map((n) => ({ id: `m${n}`, owned: [] })),
          total,
        )
        const sizes = [...assigned.values()].map((share) => share.length)
        expect([...assigned.values()].flat().sort((left, right) => left - right)).toEqual(range(total))
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }
    }
  })

  test('a member keeps what it had as far as its share goes, and a lie about what it had takes nothing twice', () => {
    const assigned = assignPartitions(
      [
        { id: 'old', owned: [0, 1, 2, 3, 4, 5] },
        { id: 'liar', owned: [0, 1, 99] },
        { id: 'new', owned: [] },
      ],
      6,
    )
    expect(assigned.get('liar')).toEqual([0, 1])
    expect(assigned.get('old')).toEqual([2, 3])
    expect(assigned.get('new')).toEqual([4, 5])
  })

  test('a partition counts as owned since the generation from which on nobody else had it', () => {
    const first = ownedNow(undefined, [0, 1], 4)
    expect([...first]).toEqual([
      [0, 4],
      [1, 4],
    ])
    const next = ownedNow(first, [1, 2], 5)
    expect([...next]).toEqual([
      [1, 4],
      [2, 5],
    ])
    expect([...ownedNow(next, [0, 1], 6)]).toEqual([
      [0, 6],
      [1, 4],
    ])
    // A generation without this member lies between.
    expect([...ownedNow(undefined, [1], 8)]).toEqual([[1, 8]])
  })
})
