namespace Graft.Data;

/// <summary>
/// Names of classes that differ in case alone, such as <c>Daisy</c> and <c>daisy</c>: file systems of Windows and macOS have one folder for both, so that they would be mixed there.
/// </summary>
internal static class ClassSpelling
{
    /// <summary>The class of this name, or else the first that differs from it in case alone; null if there is none.</summary>
    public static string? Known(IEnumerable<string> classes, string name)
    {
        string? alike = null;
        foreach (var other in classes)
        {
            if (other == name) return other;
            if (alike is null && other.Equals(name, StringComparison.OrdinalIgnoreCase)) alike = other;
        }
        return alike;
    }

    /// <summary>Those of the classes that another one differs from in case alone, in groups.</summary>
    public static IEnumerable<IReadOnlyList<string>> Alike(IEnumerable<string> classes) =>
        classes.GroupBy(name => name, StringComparer.OrdinalIgnoreCase).Where(group => group.Skip(1).Any()).Select(group => group.Order(StringComparer.Ordinal).ToList());
}
