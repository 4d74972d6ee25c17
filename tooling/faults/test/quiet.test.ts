import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Facts, FaultDatabase } from '../src/database.ts'
import { openLedger } from '../src/ledger.ts'
import { createRig } from '../src/rig.ts'
import { stageOf } from '../src/stages.ts'

const folder = mkdtempSync(join(tmpdir(), 'evt-faults-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('quiet has not come while a message is under way, though the effect of one nobody knew of makes the sum right', async () => {
  const ledger = openLedger(join(folder, 'ledger.ndjson'))
  const tell = (message: string) => ledger.add({ kind: 'ok', message, code: 'direct', atMs: 1, pid: 1 })
  tell('handled')
  tell('under way')
  const effects = new Map([
    ['handled', 1],
    ['of a publisher that was killed', 1],
  ])
  let looks = 0
  const database = {
    async progress() {
      return { committed: 0, effects: effects.size, letters: 0, waiting: 0 }
    },
    async facts(): Promise<Facts> {
      looks += 1
      if (looks === 3) effects.set('under way', 1)
      return {
        committed: new Map(),
        effects: new Map([['faults/work', effects]]),
        letters: new Map(),
        waiting: 0,
        parked: 0,
      }
    },
  } as Partial<FaultDatabase> as FaultDatabase
  const rig = createRig({
    seed: 1,
    stageName: 'memory',
    stage: stageOf('memory'),
    database,
    store: undefined as never,
    broker: undefined,
    namespace: 'quiet',
    ledger,
    bug: undefined,
    progress: () => undefined,
  })
  await rig.quiet({ quietMs: 50 })
  expect(effects.has('under way')).toBe(true)
  expect(rig.findings).toEqual([])
  ledger.close()
})
