import { performancePage } from '../src/performance-page.ts'
import { addRun, type Run } from '../src/report.ts'
import { noRounds, type Rounds, toResult } from '../src/result.ts'
import { runRounds } from '../src/run-rounds.ts'
import { startContender } from '../src/start-contender.ts'
import type {
  Contender,
  LatencyContender,
  LatencyWorkload,
  ThroughputWorkload,
  TimedWorkload,
} from '../src/workload.ts'

const run = (workload: TimedWorkload) =>
  runRounds(workload, (index) => startContender(workload, index, []), { rounds: 3, onProgress: () => undefined })

describe('a throughput run', () => {
  const order: string[] = []
  const contender = (name: string, lose = -1): Contender => ({
    name,
    start: async () => ({
      async run(messages, ledger) {
        order.push(name)
        for (let index = 0; index < messages; index += 1) {
          ledger?.sent(`m-${index}`)
          if (index !== lose) ledger?.handled(`m-${index}`)
        }
      },
      stop: async () => void order.push(`${name} stopped`),
    }),
  })
  const workload = (...contenders: readonly Contender[]): ThroughputWorkload => ({
    ...{ kind: 'throughput', id: 'w0.test', title: 'a test', messages: 10, checked: 'everyRound', contenders },
    goals: [{ text: 'figures measured', value: (read) => read.figure('ours', 'cpu µs'), atLeast: 0 }],
  })
  beforeEach(() => order.splice(0))

  it('takes contenders in turn, one warm-up and the rounds, and stops them', async () => {
    const result = await run(workload(contender('limit'), contender('ours')))
    expect(order.join(' ')).toBe(`${'limit ours '.repeat(4)}limit stopped ours stopped`)
    expect(result.measured.map((each) => each.rounds.length)).toEqual([3, 3])
    expect(result.goals).toMatchObject([{ met: true, wanted: '≥ 0' }])
  })

  it('fails, and stops the contenders, where one loses a message', async () => {
    const losing = run(workload(contender('limit'), contender('ours', 7)))
    await expect(losing).rejects.toThrow('w0.test ours: handler 0 lost 1 messages')
    expect(order.slice(-2)).toEqual(['limit stopped', 'ours stopped'])
  })
})

describe('a latency run', () => {
  const latency = (contender: LatencyContender): LatencyWorkload => ({
    ...{ kind: 'latency', id: 'w0.latency', title: 'a test', perSecond: 500, seconds: 0.1, contenders: [contender] },
  })

  it('counts from when a message was due, however late it is sent', async () => {
    const stalledMs = 60
    const contender: LatencyContender = {
      name: 'stalled',
      start: async (arrived) => ({
        async send(id) {
          // Holds up the event loop once a round: everything due meanwhile is late.
          if (Number(id.slice(2)) % 50 === 10)
            for (const untilMs = performance.now() + stalledMs; performance.now() < untilMs; );
          arrived(id)
        },
        stop: async () => undefined,
      }),
    }
    const { measured } = await run(latency(contender))
    expect(measured[0]!.figures['p95 ms']).toBeGreaterThan(stalledMs / 2)
  })

  it('hands on the failure of a send', async () => {
    const contender: LatencyContender = {
      name: 'refused',
      start: async () => ({ send: async () => Promise.reject(new Error('refused')), stop: async () => undefined }),
    }
    await expect(run(latency(contender))).rejects.toThrow('refused')
  })
})

describe('a result', () => {
  const rounds = (contender: string, values: number[], shares: number[]): Rounds => ({
    ...noRounds(contender),
    ...{ values, otherShares: shares },
  })
  const workload: ThroughputWorkload = {
    ...{ kind: 'throughput', id: 'w1.test', title: 'a test', messages: 1, checked: 'once', contenders: [] },
    goals: [
      { text: 'of the limit', value: (read) => read.ratio('ours', 'limit'), atLeast: 0.9 },
      { text: 'ns', value: (read) => read.median('ours'), atMost: 150 },
    ],
  }
  const result = toResult(workload, 'ns per message', [
    rounds('limit', [100, 100, 100], [0, 0.01, 0.02]),
    rounds('ours', [200, 210, 190], [0, 0.3, 0.02]),
  ])

  it('says which goals are met', () => {
    expect(result.goals.map(({ met, value }) => [met, value])).toEqual([
      [false, 0.5],
      [false, 200],
    ])
  })

  it('is disturbed where others used more than is tolerated in one of its rounds', () => {
    expect(result.disturbed).toBe(true)
    expect(result.measured.map(({ disturbedRounds }) => disturbedRounds)).toEqual([0, 1])
    expect(toResult(workload, 'ns', [rounds('limit', [1], [0]), rounds('ours', [1], [0.04])]).disturbed).toBe(false)
  })

  const earlier: Run = {
    ...{ command: 'npm run bench -- w1', rounds: 3, otherShareBefore: 0.5, servers: [], results: [result] },
    machine: { processor: 'P', processors: 2, memoryMb: 1, system: 's', node: 'v20', load: 3, packages: { pg: '8' } },
  }

  it('takes the place of an earlier one of the same workload, and leaves the others', () => {
    const other = { ...result, id: 'w2.json' }
    const report = addRun(addRun({ runs: [] }, { ...earlier, results: [result, other] }), earlier)
    expect(report.runs.map((each) => each.results.map(({ id }) => id))).toEqual([['w2.json'], ['w1.test']])
  })

  it('becomes a page that names what was compared, the goals missed, the disturbance and the reasons people wrote', () => {
    const page = performancePage({ runs: [earlier] }, (family) => (family === 'w1' ? 'The reason.' : ''))
    for (const text of [
      '| w1.test | of the limit | ≥ 0.9 | 0.5 | missed, disturbed |',
      '| limit | 100 (100–100) | 10,000,000 |',
      '| ours | 200 (190–210) | 5,000,000 | 0.5 (0.476–0.526) |',
      'ours: disturbed in 1 of 3 rounds, others used up to 30 %.',
      'The reason.',
      'Node v20',
    ])
      expect(page).toContain(text)
  })
})
