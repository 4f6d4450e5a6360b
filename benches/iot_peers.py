#!/usr/bin/env python3
"""DuckDB and VictoriaMetrics on the rows of `cargo bench -p motorpool-rollups --bench iot`.

Usage: iot_peers.py DIR [--victoria]

DIR is the folder that the bench was given: reports.parquet, tags.json, answers.json. Prints one JSON line for each question with
the median of several runs after the first, wall and CPU, and compares DuckDB's answers with ours. VictoriaMetrics gets the last day
of the columns that its queries need; it is started on a free port with a scratch folder and stopped at the end. Its queries say
what MetricsQL can say: no mileage, no sessions, no joins with tags other than labels.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

RUNS = 5
FLEETS = ["East", "West", "North", "South"]

TEN = "(time_ms // 600000)"
SPEED = "speed_dkmh / 10.0"
DRIVING = f"SELECT device, {TEN} AS ten, avg({SPEED}) AS v FROM r WHERE {{where}} GROUP BY ALL HAVING count(speed_dkmh) > 0"


def questions(first_ms, end_ms):
    """The suite's SQL in DuckDB's dialect, by the words of the suite where its SQL says something else."""

    def since(minutes):
        return f"time_ms >= {end_ms - minutes * 60000} AND time_ms < {end_ms}"

    def last(column):
        return f"SELECT device, arg_max({column}, time_ms) FILTER ({column} IS NOT NULL) AS x FROM r GROUP BY device"

    def longer(minutes, rest):
        limit = int((minutes - rest * minutes / 60) / 10)
        return (
            f"SELECT device FROM ({DRIVING.format(where=since(minutes))}) WHERE v > 1 "
            f"GROUP BY device HAVING count(*) > {limit} ORDER BY device"
        )

    everything = f"time_ms >= {first_ms}"
    status = f"SELECT device, {TEN} AS ten, {{value}} AS x, count(fault_milli) AS n FROM r GROUP BY ALL HAVING n > 0"
    return {
        "last-loc": "SELECT device, arg_max(lat_e7, time_ms) FILTER (lat_e7 IS NOT NULL) AS lat, "
        "arg_max(lon_e7, time_ms) FILTER (lat_e7 IS NOT NULL) AS lon FROM r GROUP BY device ORDER BY device",
        "low-fuel": f"SELECT device FROM ({last('level_milli')}) WHERE x / 1000.0 < 10 ORDER BY device",
        "high-load": f"SELECT device FROM ({last('load_g')}) JOIN tags USING (device) "
        "WHERE x / 1000.0 / load_capacity > 0.9 ORDER BY device",
        "stationary-trucks": f"SELECT device FROM r WHERE {since(10)} GROUP BY device HAVING avg({SPEED}) < 1 ORDER BY device",
        "long-driving-sessions": longer(240, 5),
        "long-daily-sessions": longer(1440, 35),
        "avg-vs-projected-fuel-consumption": "SELECT fleet, avg(consumption_ml) / 1000.0, avg(norm) FROM r JOIN tags USING (device) "
        f"WHERE {SPEED} > 1 GROUP BY fleet ORDER BY fleet",
        "avg-daily-driving-duration": "SELECT device, avg(h) FROM (SELECT device, ten // 144 AS day, count(*) / 6.0 AS h "
        f"FROM ({DRIVING.format(where=everything)}) WHERE v > 1 GROUP BY ALL) GROUP BY device ORDER BY device",
        "avg-daily-driving-session": f"WITH s AS (SELECT device, ten, v > 5 AS d FROM ({DRIVING.format(where=everything)})), "
        "c AS (SELECT device, ten, d FROM (SELECT *, lag(d) OVER w AS p FROM s WINDOW w AS (PARTITION BY device ORDER BY ten)) WHERE d <> p), "
        "e AS (SELECT *, lead(ten) OVER (PARTITION BY device ORDER BY ten) AS stop FROM c) "
        "SELECT device, ten // 144 AS day, avg(stop - ten) * 10 FROM e WHERE d AND stop IS NOT NULL GROUP BY ALL ORDER BY ALL",
        "avg-load": "SELECT fleet, model, avg(l / load_capacity) * 100 FROM (SELECT device, avg(load_g) / 1000.0 AS l FROM r GROUP BY device) "
        "JOIN tags USING (device) GROUP BY ALL ORDER BY ALL",
        "daily-activity": f"SELECT ten // 144 AS day, fleet, model, count(*) / 6.0, sum(n) / 144.0 FROM ({status.format(value='avg(fault_milli)')}) "
        "JOIN tags USING (device) WHERE x < 1000 GROUP BY ALL ORDER BY day, fleet, model",
        "breakdown-frequency": "WITH b AS (SELECT device, ten, x >= 0.5 AS b FROM "
        f"({status.format(value='avg((fault_milli > 0)::INT)')})), "
        "n AS (SELECT device, b, lead(b) OVER (PARTITION BY device ORDER BY ten) AS nb FROM b) "
        "SELECT model, count(*) FROM n JOIN tags USING (device) WHERE NOT b AND nb GROUP BY model ORDER BY model",
    }


MILEAGE = """
    SELECT sum(m) / 1000 FROM (
      SELECT 12742017.6 * asin(sqrt(pow(sin((la - pa) / 2), 2) + cos(la) * cos(pa) * pow(sin((lo - po) / 2), 2))) AS m FROM (
        SELECT la, lo, lag(la) OVER w AS pa, lag(lo) OVER w AS po
        FROM (SELECT device, time_ms, radians(lat_e7 / 1e7) AS la, radians(lon_e7 / 1e7) AS lo FROM r
              WHERE device <= 2000 AND lat_e7 IS NOT NULL AND time_ms >= {begin})
        WINDOW w AS (PARTITION BY device ORDER BY time_ms)))
"""


def tell(**line):
    print(json.dumps(line), flush=True)


def timed(run, cpu):
    """The result, the first wall time, and the medians of wall and CPU after it, in milliseconds."""
    begun = time.monotonic()
    result = run()
    first = time.monotonic() - begun
    walls, before = [], cpu()
    for _ in range(RUNS):
        begun = time.monotonic()
        result = run()
        walls.append(time.monotonic() - begun)
    spent = (cpu() - before) / RUNS
    return result, {
        "first_ms": round(first * 1e3, 2),
        "median_ms": round(sorted(walls)[RUNS // 2] * 1e3, 2),
        "cpu_ms": round(spent * 1e3, 2),
    }


def ours(answers):
    """Our answers in the shape of the SQL's."""

    def by_name(lines, *keys):
        return sorted(tuple(line[key] for key in keys) for line in lines)

    def vehicles(name):
        return sorted((line["vehicle"],) for line in answers[name])

    def day(text):
        return (time.mktime(time.strptime(text + " UTC", "%Y-%m-%d %Z")) - time.timezone) // 86400

    return {
        "last-loc": sorted((line["vehicle"], round(line["lat"] * 1e7), round(line["lon"] * 1e7)) for line in answers["last-loc"]),
        "low-fuel": vehicles("low-fuel"),
        "high-load": vehicles("high-load"),
        "stationary-trucks": vehicles("stationary-trucks"),
        "long-driving-sessions": vehicles("long-driving-sessions"),
        "long-daily-sessions": vehicles("long-daily-sessions"),
        "avg-vs-projected-fuel-consumption": by_name(
            answers["avg-vs-projected-fuel-consumption"], "unit_name", "mean_l_per_100km", "norm_l_per_100km"
        ),
        "avg-daily-driving-duration": by_name(answers["avg-daily-driving-duration"], "vehicle", "mean_daily_h"),
        "avg-daily-driving-session": sorted(
            (line["vehicle"], day(line["day"]), line["mean_min"]) for line in answers["avg-daily-driving-session"]
        ),
        "avg-load": by_name(answers["avg-load"], "unit_name", "model", "mean_load_percent"),
        "daily-activity": sorted(
            (day(line["day"]), line["unit_name"], line["model"], line["active_h"], line["daily_activity"])
            for line in answers["daily-activity"]
        ),
        "breakdown-frequency": by_name(answers["breakdown-frequency"], "model", "breakdowns"),
    }


def same(a, b):
    def close(x, y):
        return x == y if isinstance(x, str) else abs(x - y) <= 1e-6 * max(1.0, abs(x), abs(y))

    return len(a) == len(b) and all(len(x) == len(y) and all(map(close, x, y)) for x, y in zip(a, b))


def duckdb_peer(folder):
    import duckdb

    connection = duckdb.connect(str(folder / "peer.duckdb"))
    begun = time.monotonic()
    connection.execute(
        f"CREATE OR REPLACE TABLE r AS SELECT * FROM '{folder}/reports.parquet' ORDER BY device, time_ms"
    )
    connection.execute(f"CREATE OR REPLACE TABLE tags AS SELECT * FROM '{folder}/tags.json'")
    rows, first_ms, last_ms = connection.execute("SELECT count(*), min(time_ms), max(time_ms) FROM r").fetchone()
    tell(peer="duckdb", version=duckdb.__version__, quantity="rows into a table, by device and time", rows=rows,
         wall_s=round(time.monotonic() - begun, 1))
    end_ms = (last_ms // 86400000 + 1) * 86400000
    mine = ours(json.loads((folder / "answers.json").read_text()))
    wrong = []
    for name, sql in questions(first_ms, end_ms).items():
        found, times = timed(lambda: connection.execute(sql).fetchall(), time.process_time)
        is_same = same(mine[name], sorted(tuple(float(v) if not isinstance(v, str) else v for v in row) for row in found))
        wrong += [] if is_same else [name]
        tell(peer="duckdb", quantity=f"iot {name}", answers=len(found), same_as_ours=is_same, **times)
    begin = end_ms - 86400000
    found, times = timed(lambda: connection.execute(MILEAGE.format(begin=begin)).fetchone(), time.process_time)
    tell(peer="duckdb", quantity="daily mileage from raw rows", km=round(found[0]), **times)
    connection.close()
    return wrong, end_ms


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def victoria_peer(folder, end_ms):
    import duckdb

    scratch = tempfile.mkdtemp(prefix="victoria-")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        ["victoria-metrics", f"-storageDataPath={scratch}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y",
         "-search.maxPointsPerTimeseries=100000", "-search.maxQueryDuration=10m", "-search.disableCache", "-search.latencyOffset=0s",
         "-search.maxUniqueTimeseries=1000000", "-search.maxSamplesPerQuery=10000000000", "-loggerLevel=ERROR"],
    )

    def call(path, data=None):
        with urllib.request.urlopen(f"{url}{path}", data) as answer:
            return answer.read()

    def cpu():
        fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    try:
        for _ in range(100):
            try:
                call("/health")
                break
            except OSError:
                time.sleep(0.1)
        connection = duckdb.connect(str(folder / "peer.duckdb"), read_only=True)
        begun, sent = time.monotonic(), 0
        # The line protocol of InfluxDB; a value that was not told has no field.
        source = connection.execute(
            "SELECT 'r,truck=' || device || ',fleet=' || fleet || ',model=' || model || ' ' || fields || ' ' || time_ms FROM ("
            "SELECT *, concat_ws(',', 'speed=' || speed_dkmh, 'level=' || level_milli, 'load=' || load_g) AS fields "
            f"FROM r JOIN tags USING (device) WHERE time_ms >= {end_ms - 86400000}) WHERE fields <> ''"
        )
        while rows := source.fetchmany(100_000):
            call("/write?precision=ms", "\n".join(row[0] for row in rows).encode())
            sent += len(rows)
        call("/internal/force_flush")
        tell(peer="victoria-metrics", quantity="rows of the last day", rows=sent, wall_s=round(time.monotonic() - begun, 1))
        at = (end_ms - 1) // 1000
        mean = "avg_over_time(r_speed[10m])"
        heavy = [("F-150", 2000), ("G-2000", 5000), ("H-2", 1500)]
        asked = {
            "low-fuel": "last_over_time(r_level[1d]) < 10000",
            "high-load": " or ".join(f'last_over_time(r_load{{model="{m}"}}[1d]) > {kg * 900}' for m, kg in heavy),
            "stationary-trucks": f"{mean} < 10",
            "long-driving-sessions": f"count_over_time(({mean} > 10)[4h:10m]) > 22",
            "long-daily-sessions": f"count_over_time(({mean} > 10)[1d:10m]) > 60",
            "avg-daily-driving-duration": f"count_over_time(({mean} > 10)[1d:10m]) / 6",
            "avg-load": "avg(avg_over_time(r_load[1d])) by (fleet, model)",
        }
        for name, query in asked.items():
            path = "/api/v1/query?" + urllib.parse.urlencode({"query": query, "time": at})
            found, times = timed(lambda: json.loads(call(path)), cpu)
            tell(peer="victoria-metrics", quantity=f"iot {name}", of="the last day", answers=len(found["data"]["result"]), **times)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(scratch)


def main():
    folder = Path(sys.argv[1])
    wrong, end_ms = duckdb_peer(folder)
    if "--victoria" in sys.argv:
        victoria_peer(folder, end_ms)
    if wrong:
        sys.exit(f"DuckDB answers otherwise: {wrong}")


if __name__ == "__main__":
    main()
