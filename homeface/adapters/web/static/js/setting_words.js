// Settings in plain words; a key that is not here shows the server's own help.
import { t } from "./text.js";

const GROUPS = {
  recognition: () => t("Strictness"),
  presence: () => t("Staying and leaving"),
  storage: () => t("How long things are kept"),
  web: () => t("Visits without a name"),
  rooms: () => t("Room by room"),
};

/** [title, help] by key; those of rooms by `rooms.*.…`. */
const SETTINGS = {
  "recognition.strictness": () => [t("How sure a name must be"), t("relaxed, normal or strict: about one wrong name in 100, 1,000 or 10,000 visits of strangers. The stricter, the more often family goes without a name.")],
  "recognition.false_names": () => [t("The same as a number"), t("Instead of the choice above: how many visits of strangers may get a name, such as: 1 in 1000 visits.")],
  "recognition.min_faces": () => [t("Least good looks"), t("So many usable faces it takes before a name is said. Empty: as measured for the model.")],
  "presence.hold": () => [t("Hold time"), t("How long somebody still counts as in a room after the last sight.")],
  "presence.away_after": () => [t("Away after"), t("How long somebody is seen nowhere before they count as away. Long, because a sleeper is not seen.")],
  "presence.exit_leave": () => [t("Away after an exit room"), t("The same after a last sight in a room with a way out.")],
  "presence.move_hysteresis": () => [t("Changing rooms"), t("How long the old room must not have seen somebody before they move to another one.")],
  "presence.event_cooldown": () => [t("Seen again"), t("Least time between two such events about one person in one room.")],
  "presence.sensor_release": () => [t("After a sensor has cleared"), t("How long people are kept after a room's occupancy sensor has cleared.")],
  "presence.max_sensor_hold": () => [t("Longest by sensor alone"), t("How long a sensor may keep somebody whom no camera sees: a stuck sensor must not keep anybody for ever.")],
  "presence.max_blind_hold": () => [t("Longest without cameras"), t("How long a room whose cameras are gone keeps its people.")],
  "presence.min_unknown_votes": () => [t("Looks at somebody unknown"), t("So many usable faces it takes to tell of an unknown person.")],
  "storage.retention": () => [t("Visits"), t("How long it is kept who was seen where.")],
  "storage.keep_acts": () => [t("Log"), t("How long it is kept who changed what.")],
  "web.unknown_visits": () => [t("Keep their pictures"), t("Encrypted, for the list of unknown visits. Off: nothing is kept.")],
  "web.unknown_retention": () => [t("How long"), t("Afterwards they are deleted by themselves.")],
  "rooms.*.hold": () => [t("Hold time"), t("Empty: as for all rooms.")],
  "rooms.*.leave": () => [t("Away after"), t("Empty: as for all rooms.")],
  "rooms.*.sensor_release": () => [t("After a sensor has cleared"), t("Empty: as for all rooms.")],
};

const CHOICES = {
  relaxed: () => t("relaxed"),
  normal: () => t("normal"),
  strict: () => t("strict"),
};

/** A value of a setting that has a few; others are shown as they are written. */
export function choiceText(choice) {
  return CHOICES[choice]?.() ?? choice;
}

function wordsOf(setting) {
  const parts = setting.key.split(".");
  const known = parts[0] === "rooms" ? SETTINGS[`rooms.*.${parts[2]}`] : SETTINGS[setting.key];
  return known?.() ?? [setting.key, setting.help];
}

export function groupTitle(name) {
  return GROUPS[name]?.() ?? name;
}

export function settingTitle(setting) {
  const [title] = wordsOf(setting);
  return setting.key.startsWith("rooms.") ? `${setting.key.split(".")[1]}: ${title}` : title;
}

export function settingHelp(setting) {
  return wordsOf(setting)[1];
}
