import { isEvtError, type Outbox, type Outgoing, type StoredMessage, type Transactions } from '@evt/core'
import { type ConformanceCase, expectThat, failureOf, gate } from '@evt/core/conformance'
import type { Relay } from '../relay.ts'
import { relayTarget, storedMessage } from './harness.ts'

/** An outbox that sees nothing of earlier ones, with transactions of the same place; its relay is not to run by itself. */
export interface OutboxHarness<Transaction> {
  readonly outbox: Outbox<Transaction> &
    Omit<Transactions<Transaction>, 'ambient'> & { readonly relay: Pick<Relay, 'drain'> }
  /** Another place of the same kind. */
  stranger(): Promise<Pick<Transactions<Transaction>, 'run'>>
  dispose?(): Promise<void>
}

/** What an outbox with its transactions keeps towards the bus and its users. */
export function outboxCases<Transaction>(
  create: () => Promise<OutboxHarness<Transaction>>,
): readonly ConformanceCase[] {
  const check = (name: string, work: (harness: OutboxHarness<Transaction>) => Promise<void>): ConformanceCase => ({
    name,
    async run() {
      const harness = await create()
      try {
        await work(harness)
      } finally {
        await harness.outbox.stop()
        await harness.dispose?.()
      }
    },
  })
  /** What a drain publishes now. */
  const drained = async ({ outbox }: OutboxHarness<Transaction>) => {
    const published: string[] = []
    await outbox.start(
      relayTarget(async (_transport, batch) => {
        for (const message of batch) published.push(message.headers.text!)
        return []
      }),
    )
    const { remaining } = await outbox.relay.drain({ budgetMs: 10_000 })
    expectThat(remaining === 0, 'a drain leaves nothing that can be published')
    return published.join()
  }
  const one = (text: string): readonly StoredMessage[] => [storedMessage(text)]

  return [
    check('messages of a transaction are published after its commit, in order', async (harness) => {
      const { outbox } = harness
      await outbox.run(async (transaction) => {
        await outbox.append(transaction, one('1'))
        await outbox.append(transaction, [storedMessage('2'), storedMessage('3')])
      })
      await outbox.store(one('4'))
      expectThat((await drained(harness)) === '1,2,3,4', 'all are published, in order')
    }),
    check('what is published is what was appended: id, topic, key, headers and bytes', async ({ outbox }) => {
      const headers = {
        'ce-time': '2020-02-02T02:02:02.000Z',
        traceparent: '00-1',
        'content-type': 'x/y',
        note: 'ü \0',
      }
      const payload = Uint8Array.from([0, 255, 34, 92])
      const long = { id: 'i'.repeat(512), topic: 't'.repeat(400), key: 'k'.repeat(1_024) }
      const given = [storedMessage('1', { headers, payload }), storedMessage('2', { ...long, headers })]
      await outbox.run((transaction) => outbox.append(transaction, given))
      const published: Outgoing[] = []
      await outbox.start(
        relayTarget(async (_transport, batch) => {
          published.push(...batch)
          return []
        }),
      )
      await outbox.relay.drain({ budgetMs: 10_000 })
      expectThat(published.map(fieldsOf).join('\n') === given.map(fieldsOf).join('\n'), 'nothing of a message changes')
    }),
    check('a transaction that rolled back publishes nothing', async (harness) => {
      const { outbox } = harness
      const error = await failureOf(
        outbox.run(async (transaction) => {
          await outbox.append(transaction, one('lost'))
          throw new Error('no')
        }),
      )
      expectThat(error instanceof Error && error.message === 'no', "the work's own error is passed on")
      expectThat((await drained(harness)) === '', 'nothing is published')
    }),
    check('the ambient transaction is the one around the caller, and only there', async ({ outbox }) => {
      expectThat(outbox.ambient() === undefined, 'outside there is none')
      await outbox.run(async (transaction) => {
        await Promise.resolve()
        expectThat(outbox.ambient() === transaction, 'inside it is the one that run handed over')
      })
      expectThat(outbox.ambient() === undefined, 'afterwards there is none')
    }),
    check('a nested run joins, and commits nothing by itself', async (harness) => {
      const { outbox } = harness
      const error = await failureOf(
        outbox.run(async () => {
          await outbox.run(async (transaction) => outbox.append(transaction, one('inner')))
          throw new Error('outer')
        }),
      )
      expectThat(error instanceof Error && error.message === 'outer', 'the outer failure is passed on')
      expectThat((await drained(harness)) === '', 'the inner run was part of the outer one')
    }),
    check('a failed nested run dooms the transaction even when its error is swallowed', async (harness) => {
      const { outbox } = harness
      const error = await failureOf(
        outbox.run(async (transaction) => {
          await outbox.append(transaction, one('outer'))
          await failureOf(outbox.run(async () => Promise.reject(new Error('inner'))))
        }),
      )
      expectThat(error instanceof Error && error.message === 'inner', 'run rejects with what doomed it')
      expectThat((await drained(harness)) === '', 'nothing was committed')
    }),
    check('a transaction that has ended is refused, so that nothing floats out of it', async (harness) => {
      const { outbox } = harness
      const [ended, tried] = [gate(), gate()]
      let late: unknown
      let kept: Transaction | undefined
      await outbox.run(async (transaction) => {
        kept = transaction
        void ended.opened.then(async () => {
          late = await failureOf(outbox.append(outbox.ambient(), one('floating')))
          tried.open()
        })
      })
      ended.open()
      await tried.opened
      expectThat(isEvtError(late, 'EVT_TX_CLOSED'), 'the ambient transaction is closed: EVT_TX_CLOSED')
      const explicit = await failureOf(outbox.append(kept, one('floating')))
      expectThat(isEvtError(explicit, 'EVT_TX_CLOSED'), 'so is the handle: EVT_TX_CLOSED')
      expectThat((await drained(harness)) === '', 'nothing was kept')
    }),
    check('join makes an open transaction the ambient one and leaves its end to its owner', async (harness) => {
      const { outbox } = harness
      await outbox.run(async (transaction) => {
        await outbox.join(transaction, async () => outbox.append(outbox.ambient(), one('joined')))
      })
      expectThat((await drained(harness)) === 'joined', 'it is published after the commit')
    }),
    check('a transaction of another place, and what is none at all, are refused', async (harness) => {
      const { outbox } = harness
      const other = await harness.stranger()
      await other.run(async (foreign) => {
        const error = await failureOf(outbox.append(foreign, one('x')))
        expectThat(isEvtError(error, 'EVT_TRANSACTION_FOREIGN'), 'another place: EVT_TRANSACTION_FOREIGN')
      })
      for (const nothing of [undefined, null, {}, 'tx', 1]) {
        const error = await failureOf(outbox.append(nothing, one('x')))
        expectThat(isEvtError(error, 'EVT_OUTBOX_NO_TRANSACTION'), 'none at all: EVT_OUTBOX_NO_TRANSACTION')
      }
      expectThat((await drained(harness)) === '', 'nothing was kept')
    }),
    check('no string of a message aborts the transaction it is published in', async (harness) => {
      const { outbox } = harness
      const text = 'NUL \0, half \ud800, " \' \\ {a,b}'
      await outbox.run((transaction) => outbox.append(transaction, [storedMessage(text, { id: text, key: text })]))
      expectThat((await drained(harness)) === text, 'it arrives unchanged')
    }),
    check('stop is idempotent and health is told', async ({ outbox }) => {
      await outbox.stop()
      await outbox.stop()
      expectThat((await outbox.health()).status === 'healthy', 'nothing has failed')
    }),
  ]
}

function fieldsOf({ id, topic, key, headers, payload }: Outgoing): string {
  return JSON.stringify([id, topic, key, Object.entries(headers).sort(), [...payload]])
}
