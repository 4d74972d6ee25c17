import { otherShare, tolerated } from '../src/other-load.ts'
import { listeningInode, parseMachineTime, parseStat } from '../src/processor-time.ts'

describe('the load of others', () => {
  const round = {
    ...{ before: { busyMs: 1_000, stolenMs: 0 }, elapsedMs: 1_000, processors: 2 },
    ...{ ownMs: 900, serversMs: 500 },
  }

  it('is nothing where the machine did no more than the measurement', () => {
    expect(otherShare({ ...round, after: { busyMs: 2_400, stolenMs: 0 } })).toBe(0)
  })

  it('is the share of all processors that went to somebody else', () => {
    const share = otherShare({ ...round, after: { busyMs: 2_800, stolenMs: 0 } })
    expect(share).toBeCloseTo(0.2)
    expect(share).toBeGreaterThan(tolerated)
  })

  it('counts what another machine on the same hardware took', () => {
    expect(otherShare({ ...round, after: { busyMs: 2_400, stolenMs: 400 } })).toBeCloseTo(0.2)
  })

  it('is never negative, although clock ticks round', () => {
    expect(otherShare({ ...round, after: { busyMs: 2_380, stolenMs: 0 } })).toBe(0)
  })

  it('reads the processor time of the machine without its idle time', () => {
    const stat = 'cpu  100 10 50 5000 400 7 3 20 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n'
    expect(parseMachineTime(stat)).toEqual({ busyMs: 1_700, stolenMs: 200 })
  })

  it('reads a process whose name holds brackets and spaces, with the time of children that ended', () => {
    const stat = '42 (postgres: a) b) S 7 42 42 0 -1 4194560 1 2 3 4 11 22 33 44 20 0 1 0 99'
    expect(parseStat(stat)).toEqual({ parent: 7, ticks: 110 })
  })

  it('finds the socket that listens on a port, and not one that is connected to it', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:1538 0100007F:A000 01 00000000:00000000 00:00000000 00000000   101        0 111 1 0 100',
      '   1: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 222 1 0 100',
    ].join('\n')
    expect(listeningInode(table, 5_432)).toBe('222')
    expect(listeningInode(table, 5_433)).toBeUndefined()
  })
})
