import { systemClock } from '@evt/core'
import { DueHeap } from '../src/due-heap.ts'
import { type Item, Progress } from '../src/progress.ts'

function heapOf(): { heap: DueHeap; due: Item[]; arrived: () => Promise<void> } {
  const due: Item[] = []
  let wake: () => void = () => {}
  const heap = new DueHeap(systemClock, (items) => {
    due.push(...items)
    wake()
  })
  const arrived = () =>
    new Promise<void>((resolve) => {
      wake = resolve
    })
  return { heap, due, arrived }
}

function itemsOf(progress: Progress, count: number): readonly Item[] {
  const records = Array.from({ length: count }, (_value, offset) => {
    return { offset, timestampMs: 0, key: null, value: null, headers: [], bytes: 0 }
  })
  return progress.add({ records, next: count, end: count }, () => 1)
}

describe('messages that wait until they are due', () => {
  const progressOf = () => new Progress(0, { offset: 0, metadata: '' })

  test('come in the order in which they are due', async () => {
    const { heap, due, arrived } = heapOf()
    const [first, second, third] = itemsOf(progressOf(), 3)
    heap.add(first!, 20)
    heap.add(second!, 1)
    heap.add(third!, 10)
    while (due.length < 3) await arrived()
    expect(due).toEqual([second, third, first])
  })

  test('come also after all that waited before was let go', async () => {
    const { heap, due, arrived } = heapOf()
    const [first, second] = itemsOf(progressOf(), 2)
    heap.add(first!, 5)
    heap.clear()
    heap.add(second!, 10)
    await arrived()
    expect(due).toEqual([second])
  })

  test('take no room once others have their partition, and hold up nothing behind them', async () => {
    const { heap, due, arrived } = heapOf()
    const lost = progressOf()
    const kept = progressOf()
    for (const item of itemsOf(lost, 100)) heap.add(item, 5)
    const [first, second] = itemsOf(kept, 2)
    heap.add(first!, 30)
    heap.add(second!, 20)
    lost.live = false
    heap.forgetLost()
    expect(heap.size).toBe(2)
    while (due.length < 2) await arrived()
    expect(due).toEqual([second, first])
  })
})
