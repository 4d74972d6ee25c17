import { median, percentile, ratioOf, spreadOf } from '../src/statistics.ts'

describe('statistics', () => {
  it('takes the middle of an odd number of rounds and the mean of the two middle ones of an even number', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([1, 9, 5, 7])).toBe(6)
  })

  it('leaves the rounds in the order in which they were taken', () => {
    const rounds = [3, 1, 2]
    median(rounds)
    expect(rounds).toEqual([3, 1, 2])
  })

  it('gives the least, the middle and the most', () => {
    expect(spreadOf([4, 2, 9])).toEqual({ median: 4, min: 2, max: 9 })
  })

  it('gives a percentile that was really measured', () => {
    const latencies = Array.from({ length: 100 }, (_value, index) => 100 - index)
    expect(percentile(latencies, 50)).toBe(50)
    expect(percentile(latencies, 99)).toBe(99)
    expect(percentile(latencies, 100)).toBe(100)
    expect(percentile([7], 99)).toBe(7)
  })

  it('compares medians, and each round with the one beside it for the spread', () => {
    expect(ratioOf([100, 200, 300], [200, 200, 200])).toEqual({ median: 1, min: 0.5, max: 1.5 })
  })
})
