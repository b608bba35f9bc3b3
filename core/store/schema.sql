-- The authorization store, schema version 1.
--
-- Conventions
--  * Times end in _ns: nanoseconds since 1970-01-01 UTC. NULL: an end that never comes, a moment that never was.
--  * Sizes end in _bytes, durations in their unit. Flags are 0 or 1.
--  * Permissions (perms) are the bits of include/guildfs/permission.h: view 1, download 2, upload 4, rename 8,
--    delete 16, make-folder 32.
--  * Ids are never used again (AUTOINCREMENT), so that an old id in the audit cannot mean somebody new. A uuid is one
--    of version 7.
--  * Words are stored as text, so that the database can be read without the program. The exception is grants, the one
--    table with a million rows, where numbers keep a load short.
--  * A trigger's message begins with the errno that the program returns; the rest is shown to a person.
--  * Invariants stand here and not in the program, so that no way around the program breaks them.
--  * Triggers rely on recursive_triggers being off (SQLite's default): a trigger does not fire inside itself. So the
--    program never uses INSERT OR REPLACE, which would then remove rows past their triggers.

-- --------------------------------------------------------------------------------------------------------------- store

-- Facts about the store itself.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY, -- "uuid" of the store, "created_ns", "created_by" (version of the program)
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The number of the policy's state: one row; each administrative transaction raises it by one.
CREATE TABLE generation (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    value    INTEGER NOT NULL CHECK (value >= 1)
) STRICT;

CREATE TRIGGER generation_grows BEFORE UPDATE ON generation WHEN NEW.value <= OLD.value
BEGIN SELECT RAISE(ABORT, 'EPERM the generation only grows'); END;
CREATE TRIGGER generation_one BEFORE INSERT ON generation WHEN EXISTS (SELECT 1 FROM generation)
BEGIN SELECT RAISE(ABORT, 'EPERM there is one generation'); END;
CREATE TRIGGER generation_stays BEFORE DELETE ON generation
BEGIN SELECT RAISE(ABORT, 'EPERM the generation cannot be removed'); END;

-- The change feed: what each generation changed, so that a daemon need not read everything again. feed.sql writes it, by
-- triggers, and keeps it short. A row names the row of the policy that changed and not its contents: who reads the feed
-- reads what stands there now.
CREATE TABLE changes (
    generation INTEGER NOT NULL, -- the one that brought the change
    sequence   INTEGER NOT NULL, -- order within it, from 1
    -- noun: "user", "share", "membership" ...; "nothing" for a generation in which no row of the policy changed,
    -- "everything" for one with so many that reading all is quicker
    entity     TEXT NOT NULL,
    entity_id  INTEGER NOT NULL, -- its id; for a row that joins two things, the id of the first; of a grant, the object
    what       TEXT NOT NULL CHECK (what IN ('added', 'updated', 'removed')),
    other_id   INTEGER NOT NULL DEFAULT 0, -- for a row that joins two things, the id of the second; of a grant, the subject
    -- of which kind the other one is: in a team, as grants.subject_kind; of a grant, 2 * subject_kind + object_kind
    kinds      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, sequence)
) STRICT, WITHOUT ROWID;

-- Who did what to whom. Append-only.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ns       INTEGER NOT NULL CHECK (at_ns > 0),
    generation  INTEGER NOT NULL,           -- the one that this made
    -- user who acted; NULL: the system, or root. No reference: the audit stands alone
    actor_id    INTEGER,
    actor_name  TEXT NOT NULL,              -- as it was then
    origin      TEXT,                       -- from where: program, uid and pid, host, address
    action      TEXT NOT NULL,              -- "user.add", "grant.set" ...
    object_kind TEXT,
    object_id   INTEGER,
    object_name TEXT,                       -- as it was then
    before_json TEXT CHECK (before_json LIKE '{%}'), -- an object; the program checks all of its syntax, since
    after_json  TEXT CHECK (after_json LIKE '{%}')   -- trusted_schema=OFF allows no JSON functions here
) STRICT;
CREATE INDEX audit_by_object ON audit (object_kind, object_id);
CREATE INDEX audit_by_actor ON audit (actor_id);

-- INSERT OR REPLACE removes a row without a delete trigger.
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'EPERM the audit is append-only: a row cannot be replaced'); END;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'EPERM the audit is append-only: a row cannot be changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'EPERM the audit is append-only: a row cannot be removed'); END;

-- -------------------------------------------------------------------------------------------------------------- people

-- Users. Never removed, only suspended: files and the audit refer to them.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid          TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    name          TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255 AND instr(name, '/') = 0),
    display_name  TEXT,
    email         TEXT UNIQUE COLLATE NOCASE CHECK (instr(email, '@') > 1), -- binds invitations by e-mail
    uid           INTEGER UNIQUE CHECK (uid BETWEEN 0 AND 4294967294),      -- account on the host; NULL: none
    gid           INTEGER CHECK (gid BETWEEN 0 AND 4294967294),
    status        TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')), -- suspended: holds nothing
    system_admin  INTEGER NOT NULL DEFAULT 0 CHECK (system_admin IN (0, 1)), -- may administer every organization
    plan          TEXT NOT NULL DEFAULT 'team' CHECK (plan IN ('free', 'team', 'institutional')),
    -- who keeps the row
    source        TEXT NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'scim', 'saml', 'ldap')),
    external_id   TEXT UNIQUE, -- the identity provider's id (SCIM externalId)
    suspended_ns  INTEGER,     -- since when
    created_ns    INTEGER NOT NULL,
    updated_ns    INTEGER NOT NULL -- also the version that SCIM shows as an ETag
) STRICT;

CREATE TRIGGER users_stay BEFORE DELETE ON users
BEGIN SELECT RAISE(ABORT, 'EPERM a user cannot be removed: suspend the user instead'); END;
CREATE TRIGGER users_keep_uuid BEFORE UPDATE OF id, uuid ON users WHEN NEW.id <> OLD.id OR NEW.uuid <> OLD.uuid
BEGIN SELECT RAISE(ABORT, 'EPERM the identity of a user cannot be changed'); END;
CREATE TRIGGER users_join_all_users AFTER INSERT ON users
BEGIN
    INSERT INTO memberships (group_id, user_id, role, status, created_ns, updated_ns)
    SELECT id, NEW.id, 'member', 'accepted', NEW.created_ns, NEW.created_ns FROM groups WHERE builtin = 'all-users';
END;

-- People and groups under one policy.
CREATE TABLE organizations (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- 1: "default", in every store
    uuid        TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    name        TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255 AND instr(name, '/') = 0),
    description TEXT,
    plan        TEXT NOT NULL DEFAULT 'institutional' CHECK (plan IN ('free', 'team', 'institutional')),
    seats       INTEGER NOT NULL DEFAULT 0 CHECK (seats >= 0), -- members that take one, at most; 0: any number
    created_ns  INTEGER NOT NULL
) STRICT;

-- The switches in which the systems that Guildfs follows differ; one row per organization, made with it.
CREATE TABLE policies (
    organization_id INTEGER PRIMARY KEY REFERENCES organizations ON DELETE CASCADE,
    -- the set of switches that this one was last set from; "custom" when changed since
    pack            TEXT NOT NULL DEFAULT 'default'
                    CHECK (pack IN ('default', 'sciserver', 'codeocean', 'odm', 'shares', 'dataworld', 'custom')),
    -- who makes groups, and who removes them
    group_makers    TEXT NOT NULL DEFAULT 'anyone' CHECK (group_makers IN ('anyone', 'organization-admin')),
    group_removers  TEXT NOT NULL DEFAULT 'owner' CHECK (group_removers IN ('owner', 'organization-admin')),
    -- who shares into a group: any member, the owner of the thing, an admin of the group, who may grant it
    sharers         TEXT NOT NULL DEFAULT 'member' CHECK (sharers IN ('member', 'owner', 'group-admin', 'holder')),
    -- how many normal groups a user may be an accepted member of; 0: any number
    groups_per_user INTEGER NOT NULL DEFAULT 0 CHECK (groups_per_user >= 0),
    -- an invitation has to be accepted, or makes a member at once; unknown people may be invited by e-mail
    invitation      TEXT NOT NULL DEFAULT 'accept' CHECK (invitation IN ('accept', 'direct')),
    invite_by_email INTEGER NOT NULL DEFAULT 0 CHECK (invite_by_email IN (0, 1)),
    -- what a member gets of a thing shared with the group when nothing else is said
    member_content  TEXT NOT NULL DEFAULT 'per-grant' CHECK (member_content IN ('per-grant', 'title', 'all', 'none')),
    -- what a removal from a group does besides taking the rights: nothing, copies of capsules to the remover, leaving
    -- the organization
    removal         TEXT NOT NULL DEFAULT 'revoke' CHECK (removal IN ('revoke', 'copy', 'leave-organization')),
    -- organization admins: at most so many (0: any number); whether they are users (else they take no seat and join,
    -- own and administer no group)
    organization_admins_max       INTEGER NOT NULL DEFAULT 0 CHECK (organization_admins_max >= 0),
    organization_admins_are_users INTEGER NOT NULL DEFAULT 1 CHECK (organization_admins_are_users IN (0, 1)),
    -- who may be a member of a group: users on the free plan; members of the organization only; users from SAML, LDAP
    free_plan_joins      INTEGER NOT NULL DEFAULT 1 CHECK (free_plan_joins IN (0, 1)),
    members_only         INTEGER NOT NULL DEFAULT 0 CHECK (members_only IN (0, 1)),
    directory_users_join INTEGER NOT NULL DEFAULT 1 CHECK (directory_users_join IN (0, 1)),
    -- only its owner may publish a capsule; nobody gives a permission that he does not hold
    owner_publishes INTEGER NOT NULL DEFAULT 1 CHECK (owner_publishes IN (0, 1)),
    grant_only_held INTEGER NOT NULL DEFAULT 1 CHECK (grant_only_held IN (0, 1)),
    -- the ceiling: who is not in the group holds ceiling_perms at most; NULL: no ceiling
    ceiling_group_id INTEGER REFERENCES groups ON DELETE RESTRICT,
    ceiling_perms    INTEGER NOT NULL DEFAULT 3 CHECK (ceiling_perms BETWEEN 0 AND 63),
    -- what roles bring: a group's owner and admins on its capsules; organization admins on every share of it
    group_admin_capsule_perms INTEGER NOT NULL DEFAULT 3 CHECK (group_admin_capsule_perms BETWEEN 0 AND 63),
    organization_admin_perms  INTEGER NOT NULL DEFAULT 0 CHECK (organization_admin_perms BETWEEN 0 AND 63)
) STRICT;
CREATE INDEX policies_by_ceiling ON policies (ceiling_group_id) WHERE ceiling_group_id IS NOT NULL;

-- Who belongs to an organization, and who administers it.
CREATE TABLE organization_members (
    organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id         INTEGER NOT NULL REFERENCES users,
    admin           INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
    -- inactive: counts for nothing
    status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
    expires_ns      INTEGER CHECK (expires_ns > 0),
    created_ns      INTEGER NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX organization_members_by_user ON organization_members (user_id);

-- Tasks in an organization that a user, or every member of a group, may do without being its admin.
CREATE TABLE capabilities (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id         INTEGER REFERENCES users,
    group_id        INTEGER REFERENCES groups ON DELETE CASCADE,
    capability      TEXT NOT NULL CHECK (capability IN ('manage-organization', 'manage-groups', 'access-all-data',
                                                        'set-up-templates', 'configure-facets')),
    granted_by      INTEGER REFERENCES users, -- NULL: the system
    created_ns      INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (group_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX capabilities_of_user ON capabilities (organization_id, user_id, capability)
    WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX capabilities_of_group ON capabilities (organization_id, group_id, capability)
    WHERE group_id IS NOT NULL;
CREATE INDEX capabilities_by_group ON capabilities (group_id) WHERE group_id IS NOT NULL;

-- Users with roles. The name is unique in the store: a view has one directory for each group.
CREATE TABLE groups (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name            TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255 AND instr(name, '/') = 0),
    -- public: anybody may join
    kind            TEXT NOT NULL DEFAULT 'normal' CHECK (kind IN ('normal', 'public', 'builtin')),
    builtin         TEXT CHECK (builtin IN ('all-users', 'curators', 'all-members', 'authors', 'organization-admins')),
    -- in the organization
    level           TEXT NOT NULL DEFAULT 'none' CHECK (level IN ('none', 'contribute', 'manage')),
    owner_id        INTEGER REFERENCES users, -- the one member with the role owner; NULL: none
    label           TEXT,                     -- what it stands for: a location, a department, a project team
    description     TEXT,
    -- who is no member may see that it exists
    discoverable    INTEGER NOT NULL DEFAULT 0 CHECK (discoverable IN (0, 1)),
    source          TEXT NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'scim', 'saml', 'ldap')),
    external_id     TEXT, -- the identity provider's id (SCIM externalId)
    created_ns      INTEGER NOT NULL,
    updated_ns      INTEGER NOT NULL,
    CHECK ((kind = 'builtin') = (builtin IS NOT NULL)),
    CHECK (kind <> 'builtin' OR owner_id IS NULL),
    UNIQUE (organization_id, builtin),
    UNIQUE (organization_id, external_id)
) STRICT;
CREATE INDEX groups_by_owner ON groups (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX groups_by_builtin ON groups (builtin) WHERE builtin IS NOT NULL;

-- A user in a group. Only accepted memberships that have not expired count.
CREATE TABLE memberships (
    group_id   INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users,
    role       TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin', 'owner')),
    status     TEXT NOT NULL CHECK (status IN ('invited', 'accepted', 'declined', 'withdrawn')),
    expires_ns INTEGER CHECK (expires_ns > 0),
    invited_by INTEGER REFERENCES users, -- NULL: the system
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,         -- the last answer, role or end
    PRIMARY KEY (group_id, user_id),
    CHECK (role <> 'owner' OR (status = 'accepted' AND expires_ns IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_user ON memberships (user_id, status);
CREATE UNIQUE INDEX memberships_one_owner ON memberships (group_id) WHERE role = 'owner';

-- Invitations of people who are no users yet, by e-mail: into a group, or to one share (a collaborator).
CREATE TABLE invitations (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid          TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    email         TEXT NOT NULL COLLATE NOCASE CHECK (instr(email, '@') > 1),
    group_id      INTEGER REFERENCES groups ON DELETE CASCADE,
    share_id      INTEGER REFERENCES shares ON DELETE CASCADE,
    role          TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'admin')),  -- in the group
    perms         INTEGER NOT NULL DEFAULT 0 CHECK (perms BETWEEN 0 AND 63),           -- on the share
    storage_bytes INTEGER CHECK (storage_bytes >= 0), -- allocated with the membership; NULL: none
    compute_s     INTEGER CHECK (compute_s >= 0),
    status        TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'bound', 'declined', 'withdrawn')),
    user_id       INTEGER REFERENCES users, -- who registered with the address, once bound
    token_sha256  BLOB UNIQUE CHECK (length(token_sha256) = 32), -- of the link in the mail
    invited_by    INTEGER REFERENCES users,
    created_ns    INTEGER NOT NULL,
    expires_ns    INTEGER CHECK (expires_ns > 0),
    CHECK ((group_id IS NULL) <> (share_id IS NULL)),
    CHECK ((status = 'bound') = (user_id IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX invitations_to_group ON invitations (group_id, email)
    WHERE status = 'pending' AND group_id IS NOT NULL;
CREATE UNIQUE INDEX invitations_to_share ON invitations (share_id, email)
    WHERE status = 'pending' AND share_id IS NOT NULL;
CREATE INDEX invitations_by_email ON invitations (email);

-- Groups, users and other teams taken together.
CREATE TABLE teams (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    organization_id INTEGER NOT NULL REFERENCES organizations,
    name            TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255 AND instr(name, '/') = 0),
    description     TEXT,
    created_ns      INTEGER NOT NULL
) STRICT;
CREATE INDEX teams_by_organization ON teams (organization_id);

-- Exactly one of the three is in the team. Teams may nest in a cycle, which counts once.
CREATE TABLE team_members (
    team_id    INTEGER NOT NULL REFERENCES teams ON DELETE CASCADE,
    group_id   INTEGER REFERENCES groups ON DELETE CASCADE,
    user_id    INTEGER REFERENCES users,
    nested_id  INTEGER REFERENCES teams ON DELETE CASCADE,
    created_ns INTEGER NOT NULL,
    CHECK ((group_id IS NOT NULL) + (user_id IS NOT NULL) + (nested_id IS NOT NULL) = 1),
    CHECK (nested_id <> team_id)
) STRICT;
CREATE UNIQUE INDEX team_members_groups ON team_members (group_id, team_id) WHERE group_id IS NOT NULL;
CREATE UNIQUE INDEX team_members_users ON team_members (user_id, team_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX team_members_teams ON team_members (nested_id, team_id) WHERE nested_id IS NOT NULL;
CREATE INDEX team_members_by_team ON team_members (team_id);

-- -------------------------------------------------------------------------------------------------------------- things

-- Directories that hold shares.
CREATE TABLE nodes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- 1: "default", in every store
    uuid       TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    name       TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255 AND instr(name, '/') = 0),
    path       TEXT NOT NULL UNIQUE, -- absolute; of the default node "data", in the store's directory wherever that is
    created_ns INTEGER NOT NULL,
    CHECK (path LIKE '/%' OR (id = 1 AND path = 'data')),
    CHECK (path = '/' OR (path NOT LIKE '%/' AND instr(path, '//') = 0 AND instr(path || '/', '/../') = 0
                          AND instr(path || '/', '/./') = 0))
) STRICT;

-- Shares administered together.
CREATE TABLE projects (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    organization_id INTEGER NOT NULL REFERENCES organizations,
    parent_id       INTEGER REFERENCES projects CHECK (parent_id <> id), -- the project around it
    name            TEXT NOT NULL UNIQUE CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255 AND instr(name, '/') = 0),
    description     TEXT,
    created_ns      INTEGER NOT NULL
) STRICT;
CREATE INDEX projects_by_parent ON projects (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX projects_by_organization ON projects (organization_id);

-- Who administers a project: a user, or every member of a group.
CREATE TABLE project_admins (
    project_id    INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    user_id       INTEGER REFERENCES users,
    group_id      INTEGER REFERENCES groups ON DELETE CASCADE,
    -- all users and groups, not the project's alone
    see_all_users INTEGER NOT NULL DEFAULT 0 CHECK (see_all_users IN (0, 1)),
    see_all_nodes INTEGER NOT NULL DEFAULT 0 CHECK (see_all_nodes IN (0, 1)), -- all nodes, not the project's alone
    granted_by    INTEGER REFERENCES users, -- NULL: the system
    created_ns    INTEGER NOT NULL,
    CHECK ((user_id IS NULL) <> (group_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX project_admins_users ON project_admins (user_id, project_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX project_admins_groups ON project_admins (group_id, project_id) WHERE group_id IS NOT NULL;
CREATE INDEX project_admins_by_project ON project_admins (project_id);

-- Groups that the admins of a project may authorize to it and its shares.
CREATE TABLE project_groups (
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    group_id   INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    granted_by INTEGER REFERENCES users, -- NULL: the system
    created_ns INTEGER NOT NULL,
    PRIMARY KEY (project_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX project_groups_by_group ON project_groups (group_id);

-- Nodes on which the admins of a project may place shares.
CREATE TABLE project_nodes (
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    node_id    INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
    created_ns INTEGER NOT NULL,
    PRIMARY KEY (project_id, node_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX project_nodes_by_node ON project_nodes (node_id);

-- One directory tree under one set of authorizations.
CREATE TABLE shares (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    organization_id INTEGER NOT NULL REFERENCES organizations,
    group_id        INTEGER REFERENCES groups,   -- the group it belongs to
    project_id      INTEGER REFERENCES projects,
    -- the share around it; older, so there is no cycle
    parent_id       INTEGER REFERENCES shares CHECK (parent_id < id),
    owner_id        INTEGER REFERENCES users,    -- holds all six permissions
    node_id         INTEGER NOT NULL REFERENCES nodes,
    path            TEXT NOT NULL,               -- in the node
    name            TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255 AND instr(name, '/') = 0),
    title           TEXT,
    description     TEXT,
    kind            TEXT NOT NULL CHECK (kind IN ('files', 'volume', 'database', 'image', 'capsule')),
    state           TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')),
    archived_ns     INTEGER,                     -- when it last went into the archive
    unarchived_ns   INTEGER,                     -- when it last came back; what was pending before is not
    grace_ns        INTEGER NOT NULL DEFAULT 3600000000000 CHECK (grace_ns >= 0), -- how long an upload stays pending
    overwrite       TEXT NOT NULL DEFAULT 'delete' CHECK (overwrite IN ('delete', 'upload')), -- what overwriting needs
    quota_bytes     INTEGER CHECK (quota_bytes > 0), -- NULL: none
    data_mode       TEXT NOT NULL DEFAULT 'revocable' CHECK (data_mode IN ('revocable', 'fast')),
    audit           TEXT NOT NULL DEFAULT 'none' CHECK (audit IN ('none', 'changes', 'all')), -- of file operations
    bin_days        INTEGER NOT NULL DEFAULT 0 CHECK (bin_days >= 0),     -- removed items are kept; 0: not
    -- items untouched for so long are removed; 0: never
    purge_days      INTEGER NOT NULL DEFAULT 0 CHECK (purge_days >= 0),
    on_revoke       TEXT NOT NULL DEFAULT 'poison' CHECK (on_revoke IN ('poison', 'kill')),
    -- name, title and owner show to all members
    discoverable    INTEGER NOT NULL DEFAULT 0 CHECK (discoverable IN (0, 1)),
    published_ns    INTEGER,                     -- since when everyone may read it
    published_by    INTEGER REFERENCES users,
    work_status     TEXT,                        -- what its people say about the work
    copied_from     INTEGER REFERENCES shares ON DELETE SET NULL,
    -- a copy that its former owner may not remove
    permanent       INTEGER NOT NULL DEFAULT 0 CHECK (permanent IN (0, 1)),
    created_by      INTEGER REFERENCES users,    -- NULL: the system
    created_ns      INTEGER NOT NULL,
    updated_ns      INTEGER NOT NULL,
    UNIQUE (node_id, path),
    CHECK (kind <> 'capsule' OR owner_id IS NOT NULL), -- a capsule has one owner
    CHECK (path <> '' AND path NOT LIKE '/%' AND path NOT LIKE '%/' AND instr(path, '//') = 0
           AND instr('/' || path || '/', '/../') = 0 AND instr('/' || path || '/', '/./') = 0)
) STRICT;
CREATE UNIQUE INDEX shares_in_group ON shares (group_id, kind, name) WHERE group_id IS NOT NULL;
CREATE UNIQUE INDEX shares_of_owner ON shares (ifnull(owner_id, 0), kind, name) WHERE group_id IS NULL;
CREATE INDEX shares_by_name ON shares (name);
CREATE INDEX shares_by_organization ON shares (organization_id);
CREATE INDEX shares_by_project ON shares (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX shares_by_parent ON shares (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX shares_by_owner ON shares (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX shares_by_copied_from ON shares (copied_from) WHERE copied_from IS NOT NULL;

-- Authorizations: content permissions given to a subject on an object; one row for each pair.
CREATE TABLE grants (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 0 user, 1 group, 2 team, 3 organization, 4 everyone
    subject_kind INTEGER NOT NULL CHECK (subject_kind BETWEEN 0 AND 4),
    subject_id   INTEGER NOT NULL,                                      -- 0 for everyone
    object_kind  INTEGER NOT NULL CHECK (object_kind BETWEEN 0 AND 1),  -- 0 share, 1 project
    object_id    INTEGER NOT NULL,
    perms        INTEGER NOT NULL CHECK (perms BETWEEN 0 AND 63),
    expires_ns   INTEGER CHECK (expires_ns > 0),
    -- the subject may authorize others to the object
    may_grant    INTEGER NOT NULL DEFAULT 0 CHECK (may_grant IN (0, 1)),
    granted_by   INTEGER REFERENCES users, -- NULL: the system
    created_ns   INTEGER NOT NULL,
    updated_ns   INTEGER NOT NULL,
    UNIQUE (object_kind, object_id, subject_kind, subject_id),
    CHECK ((subject_kind = 4) = (subject_id = 0))
) STRICT;
CREATE INDEX grants_by_subject ON grants (subject_kind, subject_id);

-- Questions for access to what is discoverable.
CREATE TABLE access_requests (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users,
    share_id   INTEGER REFERENCES shares ON DELETE CASCADE,
    group_id   INTEGER REFERENCES groups ON DELETE CASCADE, -- to be let into it
    perms      INTEGER NOT NULL DEFAULT 0 CHECK (perms BETWEEN 0 AND 63),
    message    TEXT,
    status     TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'granted', 'refused', 'withdrawn')),
    decided_by INTEGER REFERENCES users,
    decided_ns INTEGER,
    created_ns INTEGER NOT NULL,
    CHECK ((share_id IS NULL) <> (group_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX access_requests_share ON access_requests (share_id, user_id)
    WHERE status = 'pending' AND share_id IS NOT NULL;
CREATE UNIQUE INDEX access_requests_group ON access_requests (group_id, user_id)
    WHERE status = 'pending' AND group_id IS NOT NULL;

-- Keys with which programs speak for an organization (a SCIM client).
CREATE TABLE tokens (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
    name            TEXT NOT NULL,
    sha256          BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32), -- the key itself is not stored
    scope           TEXT NOT NULL CHECK (scope IN ('scim', 'admin', 'read')),
    created_by      INTEGER REFERENCES users,
    created_ns      INTEGER NOT NULL,
    expires_ns      INTEGER CHECK (expires_ns > 0),
    revoked_ns      INTEGER,
    UNIQUE (organization_id, name)
) STRICT;

-- ---------------------------------------------------------------------------------------------- capsules and departure

-- One job for each departure: who inherits what a leaving member made. A journal: a job can be resumed at any point.
CREATE TABLE departures (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid            TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),
    user_id         INTEGER NOT NULL REFERENCES users,         -- who leaves
    organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
    group_id        INTEGER REFERENCES groups ON DELETE SET NULL, -- what is left; NULL: the whole organization
    cause           TEXT NOT NULL CHECK (cause IN ('leave', 'removal', 'deactivation', 'scim-delete')),
    actor_id        INTEGER REFERENCES users,                  -- who removed; NULL: the system
    heir_id         INTEGER REFERENCES users,                  -- who gets the copies; NULL: nobody, no copy is made
    state           TEXT NOT NULL DEFAULT 'planned'
                    CHECK (state IN ('planned', 'copying', 'done', 'failed', 'cancelled')),
    note            TEXT,                                      -- why there is no heir, why it failed
    attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    created_ns      INTEGER NOT NULL,
    started_ns      INTEGER,
    finished_ns     INTEGER
) STRICT;
CREATE UNIQUE INDEX departures_open ON departures (user_id, organization_id, ifnull(group_id, 0))
    WHERE state IN ('planned', 'copying');

-- Copies of shares: of a departure, or a duplication asked for.
CREATE TABLE copies (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid          TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36), -- also the name of the staging directory
    departure_id  INTEGER REFERENCES departures ON DELETE CASCADE, -- NULL: asked for
    source_id     INTEGER REFERENCES shares ON DELETE SET NULL,
    target_id     INTEGER REFERENCES shares ON DELETE SET NULL,    -- once published
    owner_id      INTEGER NOT NULL REFERENCES users,               -- of the copy
    node_id       INTEGER NOT NULL REFERENCES nodes,
    staging_path  TEXT NOT NULL,                                   -- in the node, while copying
    target_path   TEXT NOT NULL,                                   -- in the node, once published
    state         TEXT NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'copying', 'verified', 'published', 'failed', 'skipped')),
    note          TEXT,
    files         INTEGER NOT NULL DEFAULT 0 CHECK (files >= 0), -- copied so far
    bytes         INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    manifest_xxh3 TEXT CHECK (length(manifest_xxh3) = 32),       -- XXH3-128 of the manifest, hex
    requested_by  INTEGER REFERENCES users,
    created_ns    INTEGER NOT NULL,
    updated_ns    INTEGER NOT NULL,
    CHECK (state <> 'published' OR manifest_xxh3 IS NOT NULL),
    UNIQUE (departure_id, source_id)
) STRICT;
CREATE INDEX copies_by_source ON copies (source_id);

-- -------------------------------------------------------------------------------------------------------------- quotas

-- What somebody may use. With a user: that user's; with a group: the group's pool; with both: what the group allocated
-- to that member; with neither: the organization's pool. A pool counts above what individuals have.
CREATE TABLE quotas (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id INTEGER NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id         INTEGER REFERENCES users,
    group_id        INTEGER REFERENCES groups ON DELETE CASCADE,
    resource        TEXT NOT NULL CHECK (resource IN ('storage', 'compute')),
    amount          INTEGER NOT NULL CHECK (amount >= 0), -- storage: bytes; compute: seconds
    set_by          INTEGER REFERENCES users, -- NULL: the system
    updated_ns      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX quotas_one ON quotas (organization_id, ifnull(user_id, 0), ifnull(group_id, 0), resource);
CREATE INDEX quotas_by_user ON quotas (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX quotas_by_group ON quotas (group_id) WHERE group_id IS NOT NULL;

-- What is used, as last measured. No part of the policy: writing it raises no generation.
CREATE TABLE usage (
    user_id    INTEGER REFERENCES users,
    group_id   INTEGER REFERENCES groups ON DELETE CASCADE,
    share_id   INTEGER REFERENCES shares ON DELETE CASCADE,
    resource   TEXT NOT NULL CHECK (resource IN ('storage', 'compute')),
    amount     INTEGER NOT NULL CHECK (amount >= 0), -- storage: bytes; compute: seconds
    updated_ns INTEGER NOT NULL,
    CHECK ((user_id IS NOT NULL) + (group_id IS NOT NULL) + (share_id IS NOT NULL) = 1)
) STRICT;
CREATE UNIQUE INDEX usage_of_user ON usage (user_id, resource) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX usage_of_group ON usage (group_id, resource) WHERE group_id IS NOT NULL;
CREATE UNIQUE INDEX usage_of_share ON usage (share_id, resource) WHERE share_id IS NOT NULL;
