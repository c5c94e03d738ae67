import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** pgJDBC, the driver of Tableau, DBeaver, DataGrip and Metabase: metadata calls, fetch sizes, binary transfer. */
public class Jdbc {
    interface Step {
        String run() throws Exception;
    }

    static final Map<String, String> TOLD = System.getenv();
    static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor();

    static String asked(String name) {
        return TOLD.get("ASK_" + name.toUpperCase()).replaceAll("\\{\\d}", "?");
    }

    static Connection connectedWith(String password, String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", TOLD.get("WAYLINE_USER"));
        properties.setProperty("password", password);
        properties.setProperty("sslmode", "verify-full");
        properties.setProperty("sslrootcert", TOLD.get("WAYLINE_CA"));
        for (int at = 0; at < options.length; at += 2) {
            properties.setProperty(options[at], options[at + 1]);
        }
        String place = TOLD.get("WAYLINE_HOST") + ":" + TOLD.get("WAYLINE_PORT");
        return DriverManager.getConnection(
                "jdbc:postgresql://" + place + "/" + TOLD.get("WAYLINE_DATABASE"), properties);
    }

    static Connection connected(String... options) throws SQLException {
        return connectedWith(TOLD.get("WAYLINE_PASSWORD"), options);
    }

    static String shown(Object value) {
        if (value == null) {
            return "NULL";
        }
        if (value instanceof BigDecimal || value instanceof Double) {
            return new BigDecimal(value.toString()).stripTrailingZeros().toPlainString();
        }
        return value instanceof Timestamp ? value.toString().replaceAll("\\.0$", "") : value.toString();
    }

    static String rows(ResultSet answer) throws SQLException {
        List<String> rows = new ArrayList<>();
        while (answer.next()) {
            List<String> row = new ArrayList<>();
            for (int at = 1; at <= answer.getMetaData().getColumnCount(); at++) {
                row.add(shown(answer.getObject(at)));
            }
            rows.add(String.join("|", row));
        }
        answer.close();
        return String.join(" / ", rows);
    }

    static String value(Connection connection, String name) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return rows(statement.executeQuery(asked(name)));
        }
    }

    static String connect(Connection connection) throws SQLException {
        try (Connection ignored = connectedWith("wrong")) {
            return "let in";
        } catch (SQLException error) {
            return value(connection, "who") + ", " + ("28P01".equals(error.getSQLState()) ? "refused" : error);
        }
    }

    static String listed(Connection connection) throws SQLException {
        ResultSet found =
                connection.getMetaData().getTables(null, "public", "%", new String[] {"TABLE", "VIEW"});
        List<String> names = new ArrayList<>();
        while (found.next()) {
            names.add(found.getString("TABLE_NAME"));
        }
        Collections.sort(names);
        return String.join(" ", names);
    }

    static String describe(Connection connection) throws SQLException {
        ResultSet found = connection.getMetaData().getColumns(null, "public", "crm", "%");
        List<String> columns = new ArrayList<>();
        while (found.next()) {
            columns.add(found.getString("COLUMN_NAME") + " " + found.getString("TYPE_NAME"));
        }
        return String.join(", ", columns);
    }

    /** Statements prepared at the server are read in binary from their first run on. */
    static String read(String... options) throws SQLException {
        try (Connection connection = connected(options);
                PreparedStatement values = connection.prepareStatement(asked("values"));
                PreparedStatement question = connection.prepareStatement(asked("question"))) {
            values.executeQuery().close();
            question.executeQuery().close();
            return rows(values.executeQuery()) + " / " + rows(question.executeQuery());
        }
    }

    static String parameters(Connection connection) throws SQLException {
        try (PreparedStatement literal = connection.prepareStatement(asked("parameters"));
                PreparedStatement bound = connection.prepareStatement(asked("bound"))) {
            literal.setString(1, "hé");
            literal.setLong(2, 42);
            literal.setDouble(3, 0.5);
            literal.setBoolean(4, true);
            literal.setDate(5, Date.valueOf("2024-02-29"));
            literal.setNull(6, Types.VARCHAR);
            bound.setString(1, "email");
            bound.setDate(2, Date.valueOf("2026-02-01"));
            return rows(literal.executeQuery()) + " / " + rows(bound.executeQuery());
        }
    }

    static String paging(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(64);
            int count = 0;
            long sum = 0;
            try (ResultSet answer = statement.executeQuery(asked("pages"))) {
                while (answer.next()) {
                    count++;
                    sum += answer.getLong(1);
                }
            }
            return count + " " + sum;
        } finally {
            connection.commit();
            connection.setAutoCommit(true);
        }
    }

    static String failing(Connection connection, String name) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            TIMER.schedule(() -> {
                statement.cancel();
                return null;
            }, name.equals("slow") ? 500 : 100_000, TimeUnit.MILLISECONDS);
            statement.executeQuery(asked(name));
            return "no error";
        } catch (SQLException error) {
            return error.getSQLState() + " " + value(connection, "one");
        }
    }

    static String reconnect() throws SQLException {
        List<String> told = new ArrayList<>();
        for (int again = 0; again < 3; again++) {
            try (Connection connection = connected()) {
                told.add(value(connection, "one"));
            }
        }
        return String.join(" ", told);
    }

    static void tell(String name, Step step) {
        try {
            System.out.println("ok\t" + name + "\t" + step.run());
        } catch (Exception error) {
            error.printStackTrace();
            System.out.println("error\t" + name + "\t" + error.toString().replaceAll("\\s+", " "));
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = connected()) {
            System.out.println("version\t\t" + connection.getMetaData().getDriverVersion());
            tell("connect", () -> connect(connection));
            tell("list", () -> listed(connection));
            tell("describe", () -> describe(connection));
            tell("text", () -> read("binaryTransfer", "false"));
            tell("binary", () -> read("prepareThreshold", "-1"));
            tell("parameters", () -> parameters(connection));
            tell("paging", () -> paging(connection));
            tell("cancel", () -> failing(connection, "slow"));
            tell("error", () -> failing(connection, "wrong"));
            tell("reconnect", Jdbc::reconnect);
        }
        TIMER.shutdownNow();
    }
}
