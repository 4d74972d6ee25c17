/** A process of its own that is one member of a group over this transport, until it is killed. */
import { runMember } from '@evt/killed/member'
import { jetstreamTransport } from '../src/index.ts'
import { client } from './rig.ts'

await runMember((url = '', prefix = '') => jetstreamTransport({ connection: () => client(url), prefix }))
