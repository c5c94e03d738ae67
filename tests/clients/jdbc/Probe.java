import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.Properties;

/** Asks a server through pgJDBC what BI tools ask, and prints one line per answer. */
public class Probe {
    static void print(String title, ResultSet answer, int... columns) throws SQLException {
        StringBuilder line = new StringBuilder(title);
        int rows = 0;
        while (answer.next()) {
            rows++;
            for (int column : columns) {
                line.append(column == columns[0] ? " " : "|").append(answer.getString(column));
            }
        }
        System.out.println(line + " rows=" + rows);
        answer.close();
    }

    static void metadata(DatabaseMetaData data) throws SQLException {
        System.out.println("product " + data.getDatabaseProductVersion());
        print("tables", data.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"}), 3, 4);
        print("columns", data.getColumns(null, "public", "web", "%"), 4, 6);
        print("keys", data.getPrimaryKeys(null, "public", "web"), 4);
        print("imported", data.getImportedKeys(null, "public", "web"), 4);
        print("indexes", data.getIndexInfo(null, "public", "web", false, true), 6);
        print("schemas", data.getSchemas(), 1);
        print("catalogs", data.getCatalogs(), 1);
        print("types", data.getTypeInfo());
        print("functions", data.getFunctions(null, "public", "%"), 3);
        System.out.println("keywords " + (data.getSQLKeywords().length() > 100));
    }

    static void prepared(Connection connection) throws SQLException {
        String sql = "SELECT i FROM generate_series(1, 25) AS s(i) WHERE i > ?";
        for (int start = 20; start < 24; start++) {
            PreparedStatement statement = connection.prepareStatement(sql);
            statement.setInt(1, start);
            print("prepared", statement.executeQuery(), 1);
            statement.close();
        }
        connection.setAutoCommit(false);
        PreparedStatement fetched = connection.prepareStatement(sql);
        fetched.setFetchSize(7);
        fetched.setInt(1, 0);
        print("fetched", fetched.executeQuery());
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void values(Connection connection) throws SQLException {
        PreparedStatement statement =
                connection.prepareStatement("SELECT ?::date AS d, ?::timestamp AS t, ?::int8 AS n");
        statement.setDate(1, Date.valueOf("2024-01-01"));
        statement.setTimestamp(2, Timestamp.valueOf("2024-01-01 10:00:00"));
        statement.setLong(3, 42);
        print("values", statement.executeQuery(), 1, 2, 3);
    }

    public static void main(String[] arguments) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", arguments[1]);
        properties.setProperty("password", arguments[2]);
        properties.setProperty("prepareThreshold", "2");
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            metadata(connection.getMetaData());
            prepared(connection);
            values(connection);
            Statement statement = connection.createStatement();
            try {
                statement.executeQuery("SELECT missing FROM web");
            } catch (SQLException error) {
                System.out.println("error " + error.getSQLState());
            }
            System.out.println("valid " + connection.isValid(5));
        }
    }
}
