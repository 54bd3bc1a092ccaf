using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text;

namespace Graft;

/// <summary>What the <see cref="RangeAttribute"/>s on an options record's properties say of its values.</summary>
internal static class DeclaredRanges
{
    /// <summary>A sentence for each value outside the range of its property; null stands for a default, which is in range.</summary>
    public static IReadOnlyList<string> ProblemsOf(object options) =>
    [
        .. options.GetType().GetProperties()
            .Select(property => (property, Range: property.GetCustomAttribute<RangeAttribute>()))
            .Where(entry => entry.Range is not null && !Holds(entry.Range, entry.property.GetValue(options)))
            .Select(entry => $"Expected {Words(entry.property.Name)} {Words(entry.Range!)}, found {Text(entry.property.GetValue(options))}."),
    ];

    /// <summary>Whether a value, or every value of a list, is in range; null is.</summary>
    public static bool Holds(RangeAttribute range, object? value) => value switch
    {
        null => true,
        string text => range.IsValid(text),
        IEnumerable values => values.Cast<object>().All(range.IsValid),
        // NaN is in no range, whatever comparisons say.
        double.NaN => false,
        _ => range.IsValid(value),
    };

    /// <summary>As "above 0", "at least 1", "from 0 to 180", "from 0, below 1".</summary>
    public static string Words(RangeAttribute range)
    {
        var (low, high) = (Text(range.Minimum), Text(range.Maximum));
        return (range.MinimumIsExclusive, IsOpenEnded(range), range.MaximumIsExclusive) switch
        {
            (true, true, _) => $"above {low}",
            (false, true, _) => $"at least {low}",
            (true, false, true) => $"above {low}, below {high}",
            (true, false, false) => $"above {low}, up to {high}",
            (false, false, true) => $"from {low}, below {high}",
            (false, false, false) => $"from {low} to {high}",
        };
    }

    /// <summary>Whether there is no maximum but the type's own.</summary>
    public static bool IsOpenEnded(RangeAttribute range) => range.Maximum is double.PositiveInfinity or double.MaxValue or int.MaxValue;

    /// <summary>"LearningRate" as "learning rate".</summary>
    public static string Words(string property)
    {
        var words = new StringBuilder();
        foreach (var letter in property)
        {
            if (char.IsUpper(letter) && words.Length > 0) words.Append(' ');
            words.Append(char.ToLowerInvariant(letter));
        }
        return words.ToString();
    }

    public static string Text(object? value) => value switch
    {
        string text => text,
        IEnumerable values => string.Join(", ", values.Cast<object?>().Select(Text)),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };
}
