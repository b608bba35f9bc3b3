-- Invariants that need more than one row or table; part of schema version 1, run after schema.sql. See there for the
-- conventions.

-- ------------------------------------------------------------------------------------------------------- organizations

CREATE TRIGGER organizations_have_policy AFTER INSERT ON organizations
BEGIN INSERT INTO policies (organization_id) VALUES (NEW.id); END;

CREATE TRIGGER organizations_default_stays BEFORE DELETE ON organizations WHEN OLD.id = 1
BEGIN SELECT RAISE(ABORT, 'EPERM the default organization cannot be removed'); END;

CREATE TRIGGER organizations_in_use BEFORE DELETE ON organizations
WHEN OLD.id <> 1
 AND (EXISTS (SELECT 1 FROM groups WHERE organization_id = OLD.id AND kind <> 'builtin')
      OR EXISTS (SELECT 1 FROM teams WHERE organization_id = OLD.id)
      OR EXISTS (SELECT 1 FROM projects WHERE organization_id = OLD.id)
      OR EXISTS (SELECT 1 FROM shares WHERE organization_id = OLD.id))
BEGIN SELECT RAISE(ABORT, 'EBUSY the organization still has groups, teams, projects or shares: remove them first'); END;

-- A ceiling group belongs to its organization, and would else keep it from being removed.
CREATE TRIGGER organizations_drop_ceiling BEFORE DELETE ON organizations
BEGIN UPDATE policies SET ceiling_group_id = NULL WHERE organization_id = OLD.id; END;

CREATE TRIGGER organizations_drop_grants AFTER DELETE ON organizations
BEGIN DELETE FROM grants WHERE subject_kind = 3 AND subject_id = OLD.id; END;

CREATE TRIGGER organizations_seats AFTER UPDATE OF seats ON organizations WHEN NEW.seats > 0
BEGIN
    SELECT RAISE(ABORT, 'EPERM the organization has more members than that: remove some first')
    WHERE NEW.seats < (SELECT count(*) FROM organization_members m JOIN policies p USING (organization_id)
                       WHERE m.organization_id = NEW.id AND m.status = 'active'
                         AND (m.admin = 0 OR p.organization_admins_are_users = 1));
END;

CREATE TRIGGER policies_stay BEFORE DELETE ON policies
WHEN EXISTS (SELECT 1 FROM organizations WHERE id = OLD.organization_id)
BEGIN SELECT RAISE(ABORT, 'EPERM an organization keeps its policy'); END;

-- A switch can be thrown only where what is there already agrees.
CREATE TRIGGER policies_checked AFTER UPDATE ON policies
BEGIN
    SELECT RAISE(ABORT, 'EPERM the policy''s organization cannot be changed')
    WHERE NEW.organization_id <> OLD.organization_id;
    SELECT RAISE(ABORT, 'EINVAL the ceiling group belongs to another organization')
    WHERE NEW.ceiling_group_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM groups WHERE id = NEW.ceiling_group_id AND organization_id = NEW.organization_id);
    SELECT RAISE(ABORT, 'EPERM some users are members of more groups than that: end their memberships first')
    WHERE NEW.groups_per_user > 0 AND NEW.groups_per_user IS NOT OLD.groups_per_user
      AND EXISTS (SELECT 1 FROM memberships m JOIN groups g ON g.id = m.group_id
                  WHERE g.organization_id = NEW.organization_id AND g.kind = 'normal' AND m.status = 'accepted'
                    AND (m.expires_ns IS NULL OR m.expires_ns > 1000000000 * CAST(strftime('%s', 'now') AS INTEGER))
                  GROUP BY m.user_id HAVING count(*) > NEW.groups_per_user);
    SELECT RAISE(ABORT, 'EPERM there are more organization admins than that')
    WHERE NEW.organization_admins_max > 0
      AND NEW.organization_admins_max < (SELECT count(*) FROM organization_members
                                         WHERE organization_id = NEW.organization_id AND admin = 1);
    SELECT RAISE(ABORT, 'EPERM an organization admin is in a group: end that membership first')
    WHERE NEW.organization_admins_are_users = 0 AND OLD.organization_admins_are_users = 1
      AND EXISTS (SELECT 1 FROM organization_members o JOIN memberships m USING (user_id)
          JOIN groups g ON g.id = m.group_id
                  WHERE o.organization_id = NEW.organization_id AND o.admin = 1 AND g.kind <> 'builtin'
                    AND g.organization_id = NEW.organization_id AND m.status IN ('invited', 'accepted'));
    SELECT RAISE(ABORT, 'EPERM some members of groups are no members of the organization')
    WHERE NEW.members_only = 1 AND OLD.members_only = 0
      AND EXISTS (SELECT 1 FROM memberships m JOIN groups g ON g.id = m.group_id
                  WHERE g.organization_id = NEW.organization_id AND m.status IN ('invited', 'accepted')
                    AND g.builtin IS NOT 'all-users'
                    AND NOT EXISTS (SELECT 1 FROM organization_members o
                                    WHERE o.organization_id = NEW.organization_id AND o.user_id = m.user_id));
    SELECT RAISE(ABORT, 'EPERM no seat is left for the organization admins')
    WHERE NEW.organization_admins_are_users = 1 AND OLD.organization_admins_are_users = 0
      AND (SELECT seats FROM organizations WHERE id = NEW.organization_id) > 0
      AND (SELECT seats FROM organizations WHERE id = NEW.organization_id)
          < (SELECT count(*) FROM organization_members
              WHERE organization_id = NEW.organization_id AND status = 'active');
END;

-- ------------------------------------------------------------------------------------------------ organization members

CREATE TRIGGER organization_members_keep_key BEFORE UPDATE OF organization_id, user_id ON organization_members
WHEN NEW.organization_id <> OLD.organization_id OR NEW.user_id <> OLD.user_id
BEGIN SELECT RAISE(ABORT, 'EINVAL a member of an organization cannot become another one: remove and add'); END;

-- The last organization admin stays. Who is suspended, inactive or ends some day does not count as another one.
CREATE TRIGGER organization_members_last_admin_update BEFORE UPDATE ON organization_members
WHEN OLD.admin = 1 AND OLD.status = 'active' AND OLD.expires_ns IS NULL
 AND (NEW.admin = 0 OR NEW.status <> 'active' OR NEW.expires_ns IS NOT NULL)
 AND NOT EXISTS (SELECT 1 FROM organization_members m JOIN users u ON u.id = m.user_id
                 WHERE m.organization_id = OLD.organization_id AND m.user_id <> OLD.user_id AND m.admin = 1
                   AND m.status = 'active' AND m.expires_ns IS NULL AND u.status = 'active')
BEGIN SELECT RAISE(ABORT, 'EPERM the last organization admin stays: name another first'); END;

CREATE TRIGGER organization_members_last_admin_delete BEFORE DELETE ON organization_members
WHEN OLD.admin = 1 AND EXISTS (SELECT 1 FROM organizations WHERE id = OLD.organization_id)
 AND NOT EXISTS (SELECT 1 FROM organization_members m JOIN users u ON u.id = m.user_id
                 WHERE m.organization_id = OLD.organization_id AND m.user_id <> OLD.user_id AND m.admin = 1
                   AND m.status = 'active' AND m.expires_ns IS NULL AND u.status = 'active')
BEGIN SELECT RAISE(ABORT, 'EPERM the last organization admin stays: name another first'); END;

CREATE TRIGGER organization_members_checked_insert AFTER INSERT ON organization_members
BEGIN
    SELECT RAISE(ABORT, 'EPERM the policy allows no more organization admins: replace one')
    FROM policies p WHERE p.organization_id = NEW.organization_id AND NEW.admin = 1 AND p.organization_admins_max > 0
     AND p.organization_admins_max < (SELECT count(*) FROM organization_members m
                                      WHERE m.organization_id = NEW.organization_id AND m.admin = 1);
    SELECT RAISE(ABORT, 'EPERM the policy keeps organization admins out of groups: end the memberships first')
    FROM policies p
    WHERE p.organization_id = NEW.organization_id AND NEW.admin = 1 AND p.organization_admins_are_users = 0
     AND EXISTS (SELECT 1 FROM memberships m JOIN groups g ON g.id = m.group_id
                 WHERE m.user_id = NEW.user_id AND m.status IN ('invited', 'accepted') AND g.kind <> 'builtin'
                   AND g.organization_id = NEW.organization_id);
    SELECT RAISE(ABORT, 'EPERM no seat is left in the organization: raise its seats, or remove a member')
    FROM organizations o JOIN policies p ON p.organization_id = o.id
    WHERE o.id = NEW.organization_id AND o.seats > 0 AND NEW.status = 'active'
      AND o.seats < (SELECT count(*) FROM organization_members m
                     WHERE m.organization_id = o.id AND m.status = 'active'
                       AND (m.admin = 0 OR p.organization_admins_are_users = 1));
END;

CREATE TRIGGER organization_members_checked_update AFTER UPDATE ON organization_members
BEGIN
    SELECT RAISE(ABORT, 'EPERM the policy allows no more organization admins: replace one')
    FROM policies p WHERE p.organization_id = NEW.organization_id AND NEW.admin = 1 AND p.organization_admins_max > 0
     AND p.organization_admins_max < (SELECT count(*) FROM organization_members m
                                      WHERE m.organization_id = NEW.organization_id AND m.admin = 1);
    SELECT RAISE(ABORT, 'EPERM the policy keeps organization admins out of groups: end the memberships first')
    FROM policies p
    WHERE p.organization_id = NEW.organization_id AND NEW.admin = 1 AND p.organization_admins_are_users = 0
     AND EXISTS (SELECT 1 FROM memberships m JOIN groups g ON g.id = m.group_id
                 WHERE m.user_id = NEW.user_id AND m.status IN ('invited', 'accepted') AND g.kind <> 'builtin'
                   AND g.organization_id = NEW.organization_id);
    SELECT RAISE(ABORT, 'EPERM no seat is left in the organization: raise its seats, or remove a member')
    FROM organizations o JOIN policies p ON p.organization_id = o.id
    WHERE o.id = NEW.organization_id AND o.seats > 0 AND NEW.status = 'active'
      AND (OLD.status <> 'active' OR OLD.admin <> NEW.admin)
      AND o.seats < (SELECT count(*) FROM organization_members m
                     WHERE m.organization_id = o.id AND m.status = 'active'
                       AND (m.admin = 0 OR p.organization_admins_are_users = 1));
END;

-- The built-in groups "all members" and "organization admins" mirror this table: status and end too.
CREATE TRIGGER organization_members_mirror_insert AFTER INSERT ON organization_members
BEGIN
    INSERT INTO memberships (group_id, user_id, role, status, expires_ns, created_ns, updated_ns)
    SELECT id, NEW.user_id, 'member', iif(NEW.status = 'active', 'accepted', 'withdrawn'), NEW.expires_ns,
        NEW.created_ns,
           NEW.created_ns
    FROM groups WHERE organization_id = NEW.organization_id
     AND (builtin = 'all-members' OR (builtin = 'organization-admins' AND NEW.admin = 1))
    ON CONFLICT (group_id, user_id) DO UPDATE SET status = excluded.status, expires_ns = excluded.expires_ns;
END;

CREATE TRIGGER organization_members_mirror_update AFTER UPDATE ON organization_members
BEGIN
    INSERT INTO memberships (group_id, user_id, role, status, expires_ns, created_ns, updated_ns)
    SELECT id, NEW.user_id, 'member', iif(NEW.status = 'active', 'accepted', 'withdrawn'), NEW.expires_ns,
        NEW.created_ns,
           NEW.created_ns
    FROM groups WHERE organization_id = NEW.organization_id
     AND (builtin = 'all-members' OR (builtin = 'organization-admins' AND NEW.admin = 1))
    ON CONFLICT (group_id, user_id) DO UPDATE SET status = excluded.status, expires_ns = excluded.expires_ns;
    DELETE FROM memberships WHERE user_id = NEW.user_id AND NEW.admin = 0
     AND group_id = (SELECT id FROM groups
         WHERE organization_id = NEW.organization_id AND builtin = 'organization-admins');
END;

-- Who leaves the organization leaves its groups; an owner gives the group to another first.
CREATE TRIGGER organization_members_leave_groups AFTER DELETE ON organization_members
BEGIN
    DELETE FROM memberships WHERE user_id = OLD.user_id
     AND group_id IN (SELECT id FROM groups WHERE organization_id = OLD.organization_id AND builtin IS NOT 'all-users');
END;

-- -------------------------------------------------------------------------------------------------------------- groups

CREATE TRIGGER groups_builtin_stay BEFORE DELETE ON groups
WHEN OLD.kind = 'builtin' AND EXISTS (SELECT 1 FROM organizations WHERE id = OLD.organization_id)
BEGIN SELECT RAISE(ABORT, 'EPERM the group is built in: it cannot be removed'); END;

CREATE TRIGGER groups_in_use BEFORE DELETE ON groups WHEN EXISTS (SELECT 1 FROM shares WHERE group_id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'EBUSY the group still holds shares: move or remove them first'); END;

CREATE TRIGGER groups_ceiling BEFORE DELETE ON groups WHEN EXISTS (SELECT 1 FROM policies
WHERE ceiling_group_id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'EBUSY the group is the ceiling group of an organization: change its policy first'); END;

CREATE TRIGGER groups_drop_grants AFTER DELETE ON groups
BEGIN DELETE FROM grants WHERE subject_kind = 1 AND subject_id = OLD.id; END;

CREATE TRIGGER groups_keep_nature BEFORE UPDATE OF id, uuid, kind, builtin, organization_id ON groups
WHEN NEW.id <> OLD.id OR NEW.uuid <> OLD.uuid OR (NEW.kind = 'builtin') <> (OLD.kind = 'builtin')
  OR NEW.builtin IS NOT OLD.builtin OR NEW.organization_id <> OLD.organization_id
BEGIN SELECT RAISE(ABORT, 'EPERM what a group is and where it belongs cannot be changed'); END;

CREATE TRIGGER groups_fixed_level BEFORE UPDATE OF level ON groups
WHEN OLD.builtin IN ('authors', 'organization-admins') AND NEW.level <> OLD.level
BEGIN SELECT RAISE(ABORT, 'EPERM the level of this built-in group is fixed'); END;

-- The owner is a member with the role owner; the one before becomes an admin.
CREATE TRIGGER groups_owner_insert AFTER INSERT ON groups WHEN NEW.owner_id IS NOT NULL
BEGIN
    INSERT INTO memberships (group_id, user_id, role, status, created_ns, updated_ns)
    VALUES (NEW.id, NEW.owner_id, 'owner', 'accepted', NEW.created_ns, NEW.created_ns);
END;
CREATE TRIGGER groups_owner_update AFTER UPDATE OF owner_id ON groups WHEN NEW.owner_id IS NOT OLD.owner_id
BEGIN
    UPDATE memberships SET role = 'admin', updated_ns = NEW.updated_ns
        WHERE group_id = NEW.id AND user_id = OLD.owner_id;
    INSERT INTO memberships (group_id, user_id, role, status, created_ns, updated_ns)
    SELECT NEW.id, NEW.owner_id, 'owner', 'accepted', NEW.updated_ns, NEW.updated_ns WHERE NEW.owner_id IS NOT NULL
    ON CONFLICT (group_id, user_id)
    DO UPDATE SET role = 'owner', status = 'accepted', expires_ns = NULL, updated_ns = excluded.updated_ns;
END;

-- A built-in group begins with whom it mirrors.
CREATE TRIGGER groups_builtin_filled AFTER INSERT ON groups WHEN NEW.kind = 'builtin'
BEGIN
    INSERT INTO memberships (group_id, user_id, role, status, created_ns, updated_ns)
    SELECT NEW.id, id, 'member', 'accepted', NEW.created_ns, NEW.created_ns FROM users WHERE NEW.builtin = 'all-users';
    INSERT INTO memberships (group_id, user_id, role, status, expires_ns, created_ns, updated_ns)
    SELECT NEW.id, user_id, 'member', iif(status = 'active', 'accepted', 'withdrawn'), expires_ns, NEW.created_ns,
           NEW.created_ns
    FROM organization_members WHERE organization_id = NEW.organization_id
     AND (NEW.builtin = 'all-members' OR (NEW.builtin = 'organization-admins' AND admin = 1));
END;

-- --------------------------------------------------------------------------------------------------------- memberships

CREATE TRIGGER memberships_keep_key BEFORE UPDATE OF group_id, user_id ON memberships
WHEN NEW.group_id <> OLD.group_id OR NEW.user_id <> OLD.user_id
BEGIN SELECT RAISE(ABORT, 'EINVAL a membership cannot become another one: remove and add'); END;

CREATE TRIGGER memberships_owner_insert BEFORE INSERT ON memberships
WHEN NEW.role = 'owner' AND NOT EXISTS (SELECT 1 FROM groups WHERE id = NEW.group_id AND owner_id = NEW.user_id)
BEGIN SELECT RAISE(ABORT, 'EPERM a group has one owner: give the group to the user instead'); END;

CREATE TRIGGER memberships_owner_update BEFORE UPDATE ON memberships
WHEN NEW.role = 'owner' AND NOT EXISTS (SELECT 1 FROM groups WHERE id = NEW.group_id AND owner_id = NEW.user_id)
BEGIN SELECT RAISE(ABORT, 'EPERM a group has one owner: give the group to the user instead'); END;

CREATE TRIGGER memberships_owner_stays BEFORE UPDATE ON memberships
WHEN OLD.role = 'owner' AND NEW.role <> 'owner'
 AND EXISTS (SELECT 1 FROM groups WHERE id = OLD.group_id AND owner_id = OLD.user_id)
BEGIN SELECT RAISE(ABORT, 'EPERM the owner stays in the group: give the group to another first'); END;

CREATE TRIGGER memberships_owner_leaves BEFORE DELETE ON memberships
WHEN OLD.role = 'owner' AND EXISTS (SELECT 1 FROM groups WHERE id = OLD.group_id AND owner_id = OLD.user_id)
BEGIN SELECT RAISE(ABORT, 'EPERM the owner stays in the group: give the group to another first'); END;

-- Nobody leaves "all users".
CREATE TRIGGER memberships_all_users_delete BEFORE DELETE ON memberships
WHEN EXISTS (SELECT 1 FROM groups WHERE id = OLD.group_id AND builtin = 'all-users')
BEGIN SELECT RAISE(ABORT, 'EPERM every user is in this group: suspend the user instead'); END;

CREATE TRIGGER memberships_all_users_update BEFORE UPDATE ON memberships
WHEN (NEW.status <> 'accepted' OR NEW.expires_ns IS NOT NULL)
 AND EXISTS (SELECT 1 FROM groups WHERE id = OLD.group_id AND builtin = 'all-users')
BEGIN SELECT RAISE(ABORT, 'EPERM every user is in this group: suspend the user instead'); END;

-- Who may be a member, by the organization's policy.
CREATE TRIGGER memberships_allowed_insert AFTER INSERT ON memberships WHEN NEW.status IN ('invited', 'accepted')
BEGIN
    SELECT CASE
        WHEN p.free_plan_joins = 0 AND u.plan = 'free' AND NEW.status = 'accepted'
        THEN RAISE(ABORT, 'EPERM users on the free plan may not join groups of this organization')
        WHEN p.directory_users_join = 0 AND u.source IN ('saml', 'ldap')
        THEN RAISE(ABORT, 'EPERM users from a directory may not be in groups of this organization')
        WHEN p.organization_admins_are_users = 0 AND EXISTS (SELECT 1 FROM organization_members o
             WHERE o.organization_id = g.organization_id AND o.user_id = NEW.user_id AND o.admin = 1)
        THEN RAISE(ABORT, 'EPERM the policy keeps organization admins out of groups')
        WHEN p.members_only = 1 AND NOT EXISTS (SELECT 1 FROM organization_members o
             WHERE o.organization_id = g.organization_id AND o.user_id = NEW.user_id)
        THEN RAISE(ABORT, 'EPERM only members of the organization may be in its groups')
        WHEN p.groups_per_user > 0 AND g.kind = 'normal' AND NEW.status = 'accepted' AND p.groups_per_user <
             (SELECT count(*) FROM memberships m JOIN groups o ON o.id = m.group_id
              WHERE m.user_id = NEW.user_id AND m.status = 'accepted' AND o.kind = 'normal'
                AND o.organization_id = g.organization_id
                AND (m.expires_ns IS NULL OR m.expires_ns > 1000000000 * CAST(strftime('%s', 'now') AS INTEGER)))
        THEN RAISE(ABORT, 'EPERM the policy allows the user no further group: end another membership first')
    END
    FROM groups g JOIN policies p ON p.organization_id = g.organization_id JOIN users u ON u.id = NEW.user_id
    WHERE g.id = NEW.group_id AND g.kind <> 'builtin';
END;

CREATE TRIGGER memberships_allowed_update AFTER UPDATE ON memberships
WHEN NEW.status IN ('invited', 'accepted')
 AND (NEW.status <> OLD.status OR NEW.expires_ns IS NOT OLD.expires_ns OR NEW.role <> OLD.role)
BEGIN
    SELECT CASE
        WHEN p.free_plan_joins = 0 AND u.plan = 'free' AND NEW.status = 'accepted'
        THEN RAISE(ABORT, 'EPERM users on the free plan may not join groups of this organization')
        WHEN p.directory_users_join = 0 AND u.source IN ('saml', 'ldap')
        THEN RAISE(ABORT, 'EPERM users from a directory may not be in groups of this organization')
        WHEN p.organization_admins_are_users = 0 AND EXISTS (SELECT 1 FROM organization_members o
             WHERE o.organization_id = g.organization_id AND o.user_id = NEW.user_id AND o.admin = 1)
        THEN RAISE(ABORT, 'EPERM the policy keeps organization admins out of groups')
        WHEN p.members_only = 1 AND NOT EXISTS (SELECT 1 FROM organization_members o
             WHERE o.organization_id = g.organization_id AND o.user_id = NEW.user_id)
        THEN RAISE(ABORT, 'EPERM only members of the organization may be in its groups')
        WHEN p.groups_per_user > 0 AND g.kind = 'normal' AND NEW.status = 'accepted' AND p.groups_per_user <
             (SELECT count(*) FROM memberships m JOIN groups o ON o.id = m.group_id
              WHERE m.user_id = NEW.user_id AND m.status = 'accepted' AND o.kind = 'normal'
                AND o.organization_id = g.organization_id
                AND (m.expires_ns IS NULL OR m.expires_ns > 1000000000 * CAST(strftime('%s', 'now') AS INTEGER)))
        THEN RAISE(ABORT, 'EPERM the policy allows the user no further group: end another membership first')
    END
    FROM groups g JOIN policies p ON p.organization_id = g.organization_id JOIN users u ON u.id = NEW.user_id
    WHERE g.id = NEW.group_id AND g.kind <> 'builtin';
END;

-- What is done to a mirroring group is done to the organization's members.
CREATE TRIGGER memberships_mirror_insert AFTER INSERT ON memberships
WHEN EXISTS (SELECT 1 FROM groups WHERE id = NEW.group_id AND builtin IN ('all-members', 'organization-admins'))
BEGIN
    SELECT RAISE(ABORT, 'EINVAL nobody is invited into this built-in group: add the user to the organization')
    WHERE NEW.status IN ('invited', 'declined');
    INSERT INTO organization_members (organization_id, user_id, admin, status, expires_ns, created_ns)
    SELECT organization_id, NEW.user_id, builtin = 'organization-admins',
           iif(NEW.status = 'accepted', 'active', 'inactive'), NEW.expires_ns, NEW.created_ns
    FROM groups WHERE id = NEW.group_id
    ON CONFLICT (organization_id, user_id) DO UPDATE SET admin = max(admin, excluded.admin)
    WHERE admin < excluded.admin;
END;

CREATE TRIGGER memberships_mirror_update AFTER UPDATE OF status, expires_ns ON memberships
WHEN (NEW.status <> OLD.status OR NEW.expires_ns IS NOT OLD.expires_ns)
 AND EXISTS (SELECT 1 FROM groups WHERE id = NEW.group_id AND builtin IN ('all-members', 'organization-admins'))
BEGIN
    SELECT RAISE(ABORT, 'EINVAL nobody is invited into this built-in group: add the user to the organization')
    WHERE NEW.status IN ('invited', 'declined');
    UPDATE organization_members
    SET status = iif(NEW.status = 'accepted', 'active', 'inactive'), expires_ns = NEW.expires_ns
    WHERE user_id = NEW.user_id AND organization_id = (SELECT organization_id FROM groups WHERE id = NEW.group_id)
      AND (status <> iif(NEW.status = 'accepted', 'active', 'inactive') OR expires_ns IS NOT NEW.expires_ns);
END;

CREATE TRIGGER memberships_mirror_delete AFTER DELETE ON memberships
BEGIN
    UPDATE organization_members SET admin = 0
    WHERE user_id = OLD.user_id AND admin = 1
      AND organization_id = (SELECT organization_id FROM groups
          WHERE id = OLD.group_id AND builtin = 'organization-admins');
    DELETE FROM organization_members
    WHERE user_id = OLD.user_id
      AND organization_id = (SELECT organization_id FROM groups WHERE id = OLD.group_id AND builtin = 'all-members');
END;

-- ---------------------------------------------------------------------------------------------- teams, projects, nodes

CREATE TRIGGER teams_drop_grants AFTER DELETE ON teams
BEGIN DELETE FROM grants WHERE subject_kind = 2 AND subject_id = OLD.id; END;

CREATE TRIGGER projects_in_use BEFORE DELETE ON projects
WHEN EXISTS (SELECT 1 FROM shares WHERE project_id = OLD.id) OR EXISTS (SELECT 1 FROM projects WHERE parent_id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'EBUSY the project still holds shares or projects: move or remove them first'); END;

CREATE TRIGGER projects_drop_grants AFTER DELETE ON projects
BEGIN DELETE FROM grants WHERE object_kind = 1 AND object_id = OLD.id; END;

CREATE TRIGGER nodes_default_stays BEFORE DELETE ON nodes WHEN OLD.id = 1
BEGIN SELECT RAISE(ABORT, 'EPERM the default node cannot be removed'); END;

CREATE TRIGGER nodes_in_use BEFORE DELETE ON nodes
WHEN EXISTS (SELECT 1 FROM shares WHERE node_id = OLD.id) OR EXISTS (SELECT 1 FROM copies WHERE node_id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'EBUSY the node still holds shares: move or remove them first'); END;

-- -------------------------------------------------------------------------------------------------------------- shares

CREATE TRIGGER shares_placed BEFORE INSERT ON shares
BEGIN
    SELECT RAISE(ABORT, 'EINVAL a nested share lies inside the directory of the share around it')
    WHERE NEW.parent_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM shares p WHERE p.id = NEW.parent_id AND p.node_id = NEW.node_id
                      AND substr(NEW.path, 1, length(p.path) + 1) = p.path || '/');
    -- '0' follows '/' in the order of bytes, so the range is everything below the directory
    SELECT RAISE(ABORT, 'EINVAL the directory lies around another share: choose another one')
    FROM shares WHERE node_id = NEW.node_id AND path > NEW.path || '/' AND path < NEW.path || '0';
END;

CREATE TRIGGER shares_belong_insert BEFORE INSERT ON shares
BEGIN
    SELECT RAISE(ABORT, 'EINVAL the group of a share belongs to the organization of the share')
    FROM groups WHERE id = NEW.group_id AND organization_id <> NEW.organization_id;
    SELECT RAISE(ABORT, 'EINVAL the project of a share belongs to the organization of the share')
    FROM projects WHERE id = NEW.project_id AND organization_id <> NEW.organization_id;
END;

CREATE TRIGGER shares_belong_update BEFORE UPDATE OF group_id, project_id, organization_id ON shares
BEGIN
    SELECT RAISE(ABORT, 'EINVAL the group of a share belongs to the organization of the share')
    FROM groups WHERE id = NEW.group_id AND organization_id <> NEW.organization_id;
    SELECT RAISE(ABORT, 'EINVAL the project of a share belongs to the organization of the share')
    FROM projects WHERE id = NEW.project_id AND organization_id <> NEW.organization_id;
END;

CREATE TRIGGER shares_keep_place BEFORE UPDATE OF id, uuid, node_id, path, parent_id, kind ON shares
WHEN NEW.id <> OLD.id OR NEW.uuid <> OLD.uuid OR NEW.node_id <> OLD.node_id OR NEW.path <> OLD.path
  OR NEW.parent_id IS NOT OLD.parent_id OR NEW.kind <> OLD.kind
BEGIN SELECT RAISE(ABORT, 'EPERM kind, node and directory of a share cannot be changed'); END;

CREATE TRIGGER shares_in_use BEFORE DELETE ON shares WHEN EXISTS (SELECT 1 FROM shares WHERE parent_id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'EBUSY shares are nested in the share: remove them first'); END;

CREATE TRIGGER shares_drop_grants AFTER DELETE ON shares
BEGIN DELETE FROM grants WHERE object_kind = 0 AND object_id = OLD.id; END;

-- -------------------------------------------------------------------------------------------------------------- grants

CREATE TRIGGER grants_refer BEFORE INSERT ON grants
BEGIN
    SELECT RAISE(ABORT, 'ENOENT whom the permissions are given to does not exist')
    WHERE NOT CASE NEW.subject_kind
        WHEN 0 THEN EXISTS (SELECT 1 FROM users WHERE id = NEW.subject_id)
        WHEN 1 THEN EXISTS (SELECT 1 FROM groups WHERE id = NEW.subject_id)
        WHEN 2 THEN EXISTS (SELECT 1 FROM teams WHERE id = NEW.subject_id)
        WHEN 3 THEN EXISTS (SELECT 1 FROM organizations WHERE id = NEW.subject_id)
        ELSE 1 END;
    SELECT RAISE(ABORT, 'ENOENT the share or project that the permissions are for does not exist')
    WHERE NOT CASE NEW.object_kind
        WHEN 0 THEN EXISTS (SELECT 1 FROM shares WHERE id = NEW.object_id)
        WHEN 1 THEN EXISTS (SELECT 1 FROM projects WHERE id = NEW.object_id)
        ELSE 1 END;
END;

CREATE TRIGGER grants_keep_key BEFORE UPDATE OF subject_kind, subject_id, object_kind, object_id ON grants
WHEN NEW.subject_kind <> OLD.subject_kind OR NEW.subject_id <> OLD.subject_id OR NEW.object_kind <> OLD.object_kind
  OR NEW.object_id <> OLD.object_id
BEGIN SELECT RAISE(ABORT, 'EINVAL an authorization cannot become another one: remove and add'); END;
