-- Who writes the change feed: part of schema version 1, run after triggers.sql. See schema.sql for the conventions.
--
-- Triggers and not the program, because a row also changes by other triggers and by ON DELETE CASCADE, and because a
-- change that is missing from the feed is a permission that outlives its revocation. A new table that the snapshot is
-- made of needs its triggers here, and its reading in feed.c.

CREATE VIEW feed (entity, entity_id, what, other_id, kinds) AS
    SELECT entity, entity_id, what, other_id, kinds FROM changes;

-- A transaction raises the generation at its end, so what changes now belongs to the next one.
CREATE TRIGGER feed_next INSTEAD OF INSERT ON feed
BEGIN
    INSERT INTO changes (generation, sequence, entity, entity_id, what, other_id, kinds)
    SELECT value + 1, 1 + ifnull((SELECT max(sequence) FROM changes WHERE generation = value + 1), 0),
           NEW.entity, NEW.entity_id, NEW.what, NEW.other_id, NEW.kinds
    FROM generation;
END;

-- Each generation is in the feed, so that a gap shows; and the feed is bounded: 20,000 rows for one generation, and the
-- last 1,000 generations. A daemon reads it within milliseconds of a commit; one that comes later reads everything.
CREATE TRIGGER feed_closed AFTER UPDATE ON generation
BEGIN
    DELETE FROM changes WHERE generation = NEW.value
     AND (SELECT max(sequence) FROM changes WHERE generation = NEW.value) > 20000;
    INSERT INTO changes (generation, sequence, entity, entity_id, what)
    SELECT NEW.value, 1, iif(NEW.value = OLD.value + 1 AND changes() > 0, 'everything', 'nothing'), 0, 'updated'
    WHERE NOT EXISTS (SELECT 1 FROM changes WHERE generation = NEW.value);
    DELETE FROM changes WHERE generation <= NEW.value - 1000;
END;

-- A row whose key can change is named by both keys. (Keys of memberships, authorizations and the like cannot.)
CREATE TRIGGER feed_team_members_moved AFTER UPDATE ON team_members
BEGIN
    INSERT INTO feed VALUES ('team-member', OLD.team_id, 'removed', coalesce(OLD.user_id, OLD.group_id, OLD.nested_id),
                             iif(OLD.user_id IS NOT NULL, 0, iif(OLD.group_id IS NOT NULL, 1, 2)));
END;

CREATE TRIGGER feed_organizations_insert AFTER INSERT ON organizations
BEGIN INSERT INTO feed VALUES ('organization', NEW.id, 'added', 0, 0); END;
CREATE TRIGGER feed_organizations_update AFTER UPDATE ON organizations
BEGIN INSERT INTO feed VALUES ('organization', NEW.id, 'updated', 0, 0); END;
CREATE TRIGGER feed_organizations_delete AFTER DELETE ON organizations
BEGIN INSERT INTO feed VALUES ('organization', OLD.id, 'removed', 0, 0); END;

CREATE TRIGGER feed_policies_update AFTER UPDATE ON policies
BEGIN INSERT INTO feed VALUES ('organization', NEW.organization_id, 'updated', 0, 0); END;

CREATE TRIGGER feed_users_insert AFTER INSERT ON users
BEGIN INSERT INTO feed VALUES ('user', NEW.id, 'added', 0, 0); END;
CREATE TRIGGER feed_users_update AFTER UPDATE ON users
BEGIN INSERT INTO feed VALUES ('user', NEW.id, 'updated', 0, 0); END;

CREATE TRIGGER feed_organization_members_insert AFTER INSERT ON organization_members
BEGIN INSERT INTO feed VALUES ('organization-member', NEW.organization_id, 'added', NEW.user_id, 0); END;
CREATE TRIGGER feed_organization_members_update AFTER UPDATE ON organization_members
BEGIN INSERT INTO feed VALUES ('organization-member', NEW.organization_id, 'updated', NEW.user_id, 0); END;
CREATE TRIGGER feed_organization_members_delete AFTER DELETE ON organization_members
BEGIN INSERT INTO feed VALUES ('organization-member', OLD.organization_id, 'removed', OLD.user_id, 0); END;

CREATE TRIGGER feed_groups_insert AFTER INSERT ON groups
BEGIN INSERT INTO feed VALUES ('group', NEW.id, 'added', 0, 0); END;
CREATE TRIGGER feed_groups_update AFTER UPDATE ON groups
BEGIN INSERT INTO feed VALUES ('group', NEW.id, 'updated', 0, 0); END;
CREATE TRIGGER feed_groups_delete AFTER DELETE ON groups
BEGIN INSERT INTO feed VALUES ('group', OLD.id, 'removed', 0, 0); END;

CREATE TRIGGER feed_memberships_insert AFTER INSERT ON memberships
BEGIN INSERT INTO feed VALUES ('membership', NEW.group_id, 'added', NEW.user_id, 0); END;
CREATE TRIGGER feed_memberships_update AFTER UPDATE ON memberships
BEGIN INSERT INTO feed VALUES ('membership', NEW.group_id, 'updated', NEW.user_id, 0); END;
CREATE TRIGGER feed_memberships_delete AFTER DELETE ON memberships
BEGIN INSERT INTO feed VALUES ('membership', OLD.group_id, 'removed', OLD.user_id, 0); END;

CREATE TRIGGER feed_teams_insert AFTER INSERT ON teams
BEGIN INSERT INTO feed VALUES ('team', NEW.id, 'added', 0, 0); END;
CREATE TRIGGER feed_teams_update AFTER UPDATE ON teams
BEGIN INSERT INTO feed VALUES ('team', NEW.id, 'updated', 0, 0); END;
CREATE TRIGGER feed_teams_delete AFTER DELETE ON teams
BEGIN INSERT INTO feed VALUES ('team', OLD.id, 'removed', 0, 0); END;

CREATE TRIGGER feed_team_members_insert AFTER INSERT ON team_members
BEGIN INSERT INTO feed VALUES ('team-member', NEW.team_id, 'added', coalesce(NEW.user_id, NEW.group_id, NEW.nested_id), iif(NEW.user_id IS NOT NULL, 0, iif(NEW.group_id IS NOT NULL, 1, 2))); END;
CREATE TRIGGER feed_team_members_update AFTER UPDATE ON team_members
BEGIN INSERT INTO feed VALUES ('team-member', NEW.team_id, 'updated', coalesce(NEW.user_id, NEW.group_id, NEW.nested_id), iif(NEW.user_id IS NOT NULL, 0, iif(NEW.group_id IS NOT NULL, 1, 2))); END;
CREATE TRIGGER feed_team_members_delete AFTER DELETE ON team_members
BEGIN INSERT INTO feed VALUES ('team-member', OLD.team_id, 'removed', coalesce(OLD.user_id, OLD.group_id, OLD.nested_id), iif(OLD.user_id IS NOT NULL, 0, iif(OLD.group_id IS NOT NULL, 1, 2))); END;

CREATE TRIGGER feed_projects_insert AFTER INSERT ON projects
BEGIN INSERT INTO feed VALUES ('project', NEW.id, 'added', 0, 0); END;
CREATE TRIGGER feed_projects_update AFTER UPDATE ON projects
BEGIN INSERT INTO feed VALUES ('project', NEW.id, 'updated', 0, 0); END;
CREATE TRIGGER feed_projects_delete AFTER DELETE ON projects
BEGIN INSERT INTO feed VALUES ('project', OLD.id, 'removed', 0, 0); END;

CREATE TRIGGER feed_nodes_insert AFTER INSERT ON nodes
BEGIN INSERT INTO feed VALUES ('node', NEW.id, 'added', 0, 0); END;
CREATE TRIGGER feed_nodes_update AFTER UPDATE ON nodes
BEGIN INSERT INTO feed VALUES ('node', NEW.id, 'updated', 0, 0); END;
CREATE TRIGGER feed_nodes_delete AFTER DELETE ON nodes
BEGIN INSERT INTO feed VALUES ('node', OLD.id, 'removed', 0, 0); END;

CREATE TRIGGER feed_shares_insert AFTER INSERT ON shares
BEGIN INSERT INTO feed VALUES ('share', NEW.id, 'added', 0, 0); END;
CREATE TRIGGER feed_shares_update AFTER UPDATE ON shares
BEGIN INSERT INTO feed VALUES ('share', NEW.id, 'updated', 0, 0); END;
CREATE TRIGGER feed_shares_delete AFTER DELETE ON shares
BEGIN INSERT INTO feed VALUES ('share', OLD.id, 'removed', 0, 0); END;

CREATE TRIGGER feed_grants_insert AFTER INSERT ON grants
BEGIN INSERT INTO feed VALUES ('grant', NEW.object_id, 'added', NEW.subject_id, 2 * NEW.subject_kind + NEW.object_kind); END;
CREATE TRIGGER feed_grants_update AFTER UPDATE ON grants
BEGIN INSERT INTO feed VALUES ('grant', NEW.object_id, 'updated', NEW.subject_id, 2 * NEW.subject_kind + NEW.object_kind); END;
CREATE TRIGGER feed_grants_delete AFTER DELETE ON grants
BEGIN INSERT INTO feed VALUES ('grant', OLD.object_id, 'removed', OLD.subject_id, 2 * OLD.subject_kind + OLD.object_kind); END;
