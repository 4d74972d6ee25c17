/** A process of its own that is one member of a group over this transport, until it is killed. */
import { runMember } from '@evt/killed/member'
import pg from 'pg'
import { pgTransport } from '../src/index.ts'

await runMember((url = '') => pgTransport({ pool: new pg.Pool({ connectionString: url }), pollMs: 50 }))
