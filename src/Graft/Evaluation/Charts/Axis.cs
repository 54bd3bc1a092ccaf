using System.Globalization;

namespace Graft.Evaluation.Charts;

/// <summary>From the lowest to the highest number of an axis.</summary>
internal readonly record struct AxisRange(double Low, double High)
{
    public static AxisRange Share { get; } = new(0, 1);

    /// <summary>All of the numbers, with a little room; never empty.</summary>
    public static AxisRange Of(IEnumerable<double> values, double room = 0.04)
    {
        var finite = values.Where(double.IsFinite).DefaultIfEmpty(0).ToList();
        var (low, high) = (finite.Min(), finite.Max());
        var margin = high > low ? room * (high - low) : Math.Max(1e-9, 0.5 * Math.Abs(high));
        return new(low - margin, high + margin);
    }

    /// <summary>Round numbers within, about <paramref name="count"/> of them.</summary>
    public IReadOnlyList<double> Ticks(int count, bool areWhole)
    {
        var rough = (High - Low) / count;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = ((ReadOnlySpan<double>)[1, 2, 5, 10]).ToArray().Select(factor => factor * power).First(candidate => candidate >= rough * 0.999);
        if (areWhole) step = Math.Max(1, Math.Round(step));
        var ticks = new List<double>();
        // Counted, so that 0.3 does not become 0.30000000000000004.
        for (var index = Math.Ceiling(Low / step - 1e-9); index * step <= High + step * 1e-9; index++) ticks.Add(Math.Round(index * step, 12) + 0.0);
        return ticks;
    }
}

/// <summary>An axis of a <see cref="Chart"/>.</summary>
/// <param name="Title">What it measures.</param>
/// <param name="Range">What it shows.</param>
/// <param name="Ticks">Places that bear a name.</param>
/// <param name="HasGrid">Whether a line goes through the chart at each of them.</param>
internal sealed record Axis(string Title, AxisRange Range, IReadOnlyList<(double Value, string Name)> Ticks, bool HasGrid = true)
{
    public static Axis Of(string title, AxisRange range, int ticks = 5, bool isWhole = false) =>
        new(title, range, [.. range.Ticks(ticks, isWhole).Select(tick => (tick, Number(tick)))]);

    /// <summary>Without numbers.</summary>
    public static Axis Bare(string title, AxisRange range) => new(title, range, []);

    /// <summary>A place for each name, at 0, 1, 2 …</summary>
    public static Axis OfNames(string title, IReadOnlyList<string> names) =>
        new(title, new(-0.5, names.Count - 0.5), [.. names.Select((name, index) => ((double)index, name))], HasGrid: false);

    /// <summary>Whether the names are too long to stand beside each other.</summary>
    public bool IsNamed => !HasGrid;

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "#,0" : "0.####", CultureInfo.InvariantCulture);
}
