import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '@evt/testing'
import { check, dueOf, type Finding, missing } from './checker.ts'
import type { FaultDatabase } from './database.ts'
import type { Ledger } from './ledger.ts'
import { type Member, type ProgramName, startMember } from './member.ts'
import { startProxy, type TcpProxy } from './nemesis/proxy.ts'
import type { FuzzProgram, Program, PublisherProgram, RelayProgram, WorkerProgram } from './programs/specification.ts'
import type { PrivateServer } from './servers.ts'
import type { Stage } from './stages.ts'
import type { Taken } from './taken.ts'
import { until } from './until.ts'

type Own = keyof Program
type Partly<P extends Program> = Omit<P, Own> & Partial<Pick<P, Own>>
export interface RigParts {
  readonly seed: number
  readonly stageName: string
  readonly stage: Stage
  readonly database: FaultDatabase
  readonly store: PrivateServer
  readonly broker: PrivateServer | undefined
  readonly namespace: string
  readonly ledger: Ledger
  readonly bug: string | undefined
  readonly progress: (text: string) => void
}
export interface QuietOptions {
  /** Whose effects are awaited. Default: work. */
  readonly groups?: readonly string[] | undefined
  /** Messages that the harness has stored itself. */
  readonly extra?: number | undefined
  /** Runs before each look at the database. */
  readonly beforeLook?: (() => Promise<void>) | undefined
  /** So long nothing may move before the wait is given up and the checker asked. Default 20,000. */
  readonly patienceMs?: number | undefined
  /** So long it may take in all. Default 600,000. */
  readonly limitMs?: number | undefined
  /** So long everything must stay as it is at the end. Default 300. */
  readonly quietMs?: number | undefined
}
/** Everything a scenario works with. */
export interface Rig extends RigParts {
  /** The only source of chance: from the seed. */
  readonly random: () => number
  between(low: number, high: number): number
  /** Where the programs find the database; a proxy may stand there. */
  readonly databaseUrl: string
  /** Puts proxies between the programs started from now on and every server: that of the store first. */
  proxied(): Promise<readonly TcpProxy[]>
  publisher(program: Partly<PublisherProgram>): Member
  worker(program?: Partial<WorkerProgram>): Member
  relay(program?: Partial<RelayProgram>): Member
  bridge(program?: Partial<Program>): Member
  cycles(program: Program & { readonly cycles: number }): Member
  fuzz(program: FuzzProgram): Member
  readonly members: readonly Member[]
  /** Whether it is over, so that nobody is to be started any more. */
  readonly isOver: boolean
  /** Waits until work has begun, so that what is done next strikes it. */
  flowing(): Promise<void>
  /** Waits until everything committed has its effect or dead letter and nothing moves any more. */
  quiet(options?: QuietOptions): Promise<void>
  /** Ends members gracefully and expects a clean exit. */
  stop(members: readonly Member[]): Promise<void>
  /** Checks what must always hold. */
  checkAll(options?: {
    readonly groups?: readonly string[]
    /** Groups more whose effects may happen twice. */
    readonly atLeastOnce?: readonly string[]
    readonly ordered?: boolean
    /** Messages that were taken away on purpose. */
    readonly taken?: Taken | undefined
  }): Promise<void>
  expect(what: string, holds: boolean, ...examples: readonly string[]): void
  /** Adds to a figure of the report. */
  count(figure: string, by?: number): void
  set(figure: string, value: number): void
  readonly findings: readonly Finding[]
  readonly figures: Readonly<Record<string, number>>
  base(seedOffset?: number): Program
  dispose(): Promise<void>
}

const stopLimitMs = 20_000
/** Whoever looks for a seeded bug need not wait long for what it lost. */
const impatience = 0.25

export function createRig(parts: RigParts): Rig {
  const { ledger, database, stageName, stage } = parts
  const random = seededRandom(parts.seed)
  const members: Member[] = []
  const findings: Finding[] = []
  const figures: Record<string, number> = {}
  const ways: TcpProxy[] = []
  const own: TcpProxy[] = []
  let databaseUrl = database.url
  let brokerUrl = parts.broker?.url ?? ''
  let started = 0
  let isOver = false

  const base = (seedOffset = 0): Program => ({
    stage: stageName,
    brokerUrl,
    databaseUrl,
    namespace: parts.namespace,
    seed: (parts.seed * 31 + seedOffset) >>> 0,
    bug: parts.bug,
  })
  const start = <P extends Program>(name: ProgramName, program: Partial<P>) => {
    // One that broke off goes on unseen to its next await.
    if (isOver) throw new Error(`${name} is not started: the scenario is over`)
    started += 1
    const member = startMember(name, { ...base(started), ...program }, (entry) => {
      ledger.add(entry)
      if (entry.kind === 'crash') rig.count('kills')
    })
    members.push(member)
    return member
  }
  const nothingMissing = async (groups: readonly string[]) => {
    const facts = await database.facts()
    const due = dueOf(ledger, facts)
    return consumersOf(groups).every((consumer) => missing(facts, consumer, due).length === 0)
  }
  const rig: Rig = {
    ...parts,
    random,
    members,
    findings,
    figures,
    base,
    get isOver() {
      return isOver
    },
    get databaseUrl() {
      return databaseUrl
    },
    between: (low, high) => Math.floor(low + random() * (high - low + 1)),
    async proxied() {
      const around = async (url: string, standing: TcpProxy | undefined) => {
        const proxy = standing ?? (await startProxy(new URL(url)))
        if (standing === undefined) own.push(proxy)
        ways.push(proxy)
        const through = new URL(url)
        through.port = String(proxy.port)
        return through.href
      }
      databaseUrl = await around(database.url, undefined)
      if (parts.broker !== undefined) brokerUrl = await around(parts.broker.url, parts.broker.proxy)
      return ways
    },
    publisher: (program) => start<PublisherProgram>('publisher', program),
    worker: (program = {}) => start<WorkerProgram>('worker', { relay: true, ...program }),
    relay: (program = {}) => start<RelayProgram>('relay', program),
    bridge: (program = {}) => start('bridge', program),
    cycles: (program) => start('cycles', program),
    fuzz: (program) => start('fuzz', program),
    async flowing() {
      const work = () => ledger.count('start') + ledger.count('sent')
      const before = work()
      const flows = await until(() => work() >= before + 20, 30_000)
      rig.expect('no work began', flows)
    },
    async quiet({
      groups = ['work'],
      extra = 0,
      patienceMs = 20_000,
      limitMs = 600_000,
      quietMs = 300,
      beforeLook,
    } = {}) {
      const patience = parts.bug === undefined ? 1 : impatience
      const endMs = performance.now() + (parts.bug === undefined ? limitMs : patienceMs)
      let last = ''
      let movedMs = performance.now()
      let doneMs: number | undefined
      for (;;) {
        await beforeLook?.()
        const now = await database.progress()
        const due = extra + Math.max(now.committed, ledger.count('ok'))
        parts.progress(`${now.effects + now.letters} of ${due * groups.length}`)
        const text = `${JSON.stringify(now)} ${ledger.count('start')}`
        if (text !== last) movedMs = performance.now()
        // Effects of messages nobody knew to be there make the sum right while others are still under way.
        const done =
          now.waiting === 0 && now.effects + now.letters >= due * groups.length && (await nothingMissing(groups))
        doneMs = !done || text !== last ? undefined : (doneMs ?? performance.now())
        last = text
        if (doneMs !== undefined && performance.now() - doneMs >= quietMs) return
        if (performance.now() - movedMs > patienceMs * patience) {
          rig.expect(`nothing moved for ${patienceMs} ms`, now.waiting === 0, `${now.waiting} rows wait`)
          return
        }
        if (performance.now() > endMs) {
          rig.expect('it never became quiet', false, text)
          return
        }
        await delay(50)
      }
    },
    async stop(some) {
      await Promise.all(
        some.map(async (member) => {
          // A signal that comes before the program listens for it ends it at once.
          await member.ready
          if (!member.running) return
          member.signal('SIGTERM')
          const inTime = await Promise.race([member.ended.then(() => true), delay(stopLimitMs, false)])
          if (!inTime) member.signal('SIGKILL')
          const { code, stderr } = await member.ended
          // One that was told before it listened for the signal ends by it, silently.
          const crashed = ledger.of('crash').some((entry) => entry.pid === member.pid)
          rig.expect(
            'a program did not end cleanly',
            crashed || (inTime && (code === 0 || (code === null && stderr === ''))),
            `${member.program} ${code}`,
            stderr,
          )
        }),
      )
    },
    async checkAll({ groups = ['work'], atLeastOnce = [], ordered = stage.order === 'group', taken } = {}) {
      const expected = {
        consumers: consumersOf([...groups, ...atLeastOnce]),
        atLeastOnce: consumersOf(atLeastOnce),
        ordered,
        taken,
      }
      findings.push(...check(ledger, await database.facts(), expected))
      const starts = ledger.of('start')
      rig.set('messages', new Set(starts.map((entry) => entry.message)).size)
      const runs = new Set(starts.map((entry) => `${entry.consumer} ${entry.message} ${entry.attempt}`)).size
      rig.set('runs again', starts.length - runs)
      rig.set('most connections', Math.max(0, ...ledger.of('connections').map(({ most }) => most)))
    },
    expect(what, holds, ...examples) {
      if (!holds) findings.push({ what, count: 1, examples })
    },
    count(figure, by = 1) {
      figures[figure] = (figures[figure] ?? 0) + by
    },
    set(figure, value) {
      figures[figure] = Math.round(value * 100) / 100
    },
    async dispose() {
      isOver = true
      for (const member of members) if (member.running) member.signal('SIGKILL')
      await Promise.all(members.map((member) => member.ended))
      for (const way of ways) {
        way.poison({})
        way.up()
        way.reset()
      }
      await Promise.all(own.map((proxy) => proxy.close()))
    },
  }
  return rig
}

function consumersOf(groups: readonly string[]): readonly string[] {
  return groups.map((group) => `faults/${group}`)
}

/** How long after each of these moments the next handler started, at most; Infinity where none did and work was left. */
export function longestRecoveryMs(ledger: Ledger, moments: readonly number[]): number {
  const starts = ledger.of('start').map((entry) => entry.atMs)
  let longestMs = 0
  for (const moment of moments) {
    const next = starts.find((atMs) => atMs > moment)
    if (next !== undefined) longestMs = Math.max(longestMs, next - moment)
  }
  return longestMs
}
