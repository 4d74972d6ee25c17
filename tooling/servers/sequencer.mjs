/** Jest's own order of tests. It is asked before the global set-up and knows exactly which tests will run. */
import TestSequencer from '@jest/test-sequencer'

export default class EvtSequencer extends TestSequencer {
  async sort(tests) {
    globalThis.evtTestFiles = tests.map(({ path }) => path)
    return super.sort(tests)
  }
}
