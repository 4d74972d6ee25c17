import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Finding } from './checker.ts'
import { createDatabase } from './database.ts'
import { openLedger } from './ledger.ts'
import { createRig } from './rig.ts'
import type { Scenario, Size } from './scenario.ts'
import type { Servers } from './servers.ts'
import { stageOf } from './stages.ts'

export interface Order {
  readonly scenario: Scenario
  readonly tier: 'quick' | 'long'
  readonly seed: number
  readonly transport: string
  readonly bug?: string | undefined
  readonly folder: string
}
export interface Result {
  readonly id: string
  readonly title: string
  readonly tier: string
  readonly transport: string
  readonly seed: number
  readonly bug: string | undefined
  readonly status: 'passed' | 'failed'
  readonly seconds: number
  readonly size: Size
  readonly figures: Readonly<Record<string, number>>
  readonly findings: readonly Finding[]
  readonly ledger: string
  /** The command that runs exactly this again. */
  readonly replay: string
}

let runs = 0

/** Runs one scenario in a database of its own. Never rejects: what goes wrong is a finding. */
export async function runScenario(order: Order, servers: Servers, progress: (text: string) => void): Promise<Result> {
  const { scenario, tier, seed, transport, bug, folder } = order
  const stage = stageOf(transport)
  mkdirSync(folder, { recursive: true })
  runs += 1
  const name = `f${process.pid}_${runs}`
  const startedMs = performance.now()
  const ledger = openLedger(join(folder, `${scenario.id}-${transport}${bug === undefined ? '' : `-${runs}`}.ndjson`))
  let findings: readonly Finding[] = []
  let figures: Readonly<Record<string, number>> = {}
  const failed = (error: unknown): Finding => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { what: 'the scenario broke off', count: 1, examples: [text] }
  }
  try {
    const store = await servers.store()
    const broker = stage.broker === undefined ? undefined : await servers.broker(stage.broker)
    const database = await createDatabase(store.url, name)
    const rig = createRig({
      seed,
      stageName: transport,
      stage,
      database,
      store,
      broker,
      namespace: name,
      ledger,
      bug,
      progress,
    })
    const limitMs = scenario.limitSeconds[tier] * 1_000
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not done within ${limitMs} ms`)), limitMs)
    })
    try {
      await Promise.race([scenario.run(rig, scenario[tier]), late])
      findings = rig.findings
    } catch (error) {
      findings = [...rig.findings, failed(error)]
    } finally {
      clearTimeout(timer)
      figures = rig.figures
      await rig.dispose()
      await database.drop()
    }
  } catch (error) {
    findings = [...findings, failed(error)]
  }
  ledger.close()
  const flags = [`--tier ${tier}`, `--seed ${seed}`, `--transport ${transport}`, ...(bug ? [`--bug ${bug}`] : [])]
  return {
    id: scenario.id,
    title: scenario.title,
    tier,
    transport,
    seed,
    bug,
    status: findings.length === 0 ? 'passed' : 'failed',
    seconds: Math.round((performance.now() - startedMs) / 100) / 10,
    size: scenario[tier],
    figures,
    findings,
    ledger: ledger.file,
    replay: `npm run faults -- ${scenario.id} ${flags.join(' ')}`,
  }
}
