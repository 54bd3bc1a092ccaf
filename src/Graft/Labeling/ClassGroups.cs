using System.Globalization;
using Graft.Backbones;

namespace Graft.Labeling;

/// <summary>A class that stands for several of a model's, whose probabilities are added.</summary>
/// <param name="Name">What photos are labeled with.</param>
/// <param name="Members">Indices of the model's classes, ascending.</param>
public sealed record ClassGroup(string Name, IReadOnlyList<int> Members);

/// <summary>Reads what a user says of the classes to label with.</summary>
public static class ClassGroups
{
    /// <summary>
    /// Groups from texts such as <c>cat=281..285</c>, <c>dog=151..268,Chihuahua</c>, or <c>dog</c> alone: by index, by the name of a class of the model or, where these are
    /// ImageNet's, by the name of a group of WordNet. A text that is a file's path stands for the lines of the file.
    /// </summary>
    /// <param name="classes">The model's.</param>
    /// <exception cref="GraftException">A name that nothing bears, with those that are like it; or a class in two groups.</exception>
    public static IReadOnlyList<ClassGroup> Parse(IReadOnlyList<string> texts, IReadOnlyList<string> classes)
    {
        List<ClassGroup> groups = [];
        foreach (var text in texts.SelectMany(text => File.Exists(text) ? Lines(text) : [text]))
        {
            var place = text.IndexOf('=', StringComparison.Ordinal);
            var (name, members) = place < 0 ? (text.Trim(), text) : (text[..place].Trim(), text[(place + 1)..]);
            if (name.Length == 0) throw Unsuitable($"'{text}' names no class.");
            if (groups.Exists(group => group.Name == name)) throw Unsuitable($"The class '{name}' is given twice.");
            // A comma may also be part of a class's name.
            int[] indices = Members(members, classes) ?? [.. members.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .SelectMany(part => Members(part, classes) ?? throw NoSuch(part, classes)).Distinct().Order()];
            if (indices.Length == 0) throw Unsuitable($"'{text}' names no class of the model.");
            if (groups.Find(group => group.Members.Intersect(indices).Any()) is { } other)
                throw Unsuitable($"'{name}' and '{other.Name}' both hold {classes[other.Members.Intersect(indices).First()]}: which of them would a photo of it be?");
            groups.Add(new(name, indices));
        }
        return groups.Count > 0 ? groups : throw Unsuitable("No classes are given.");
    }

    /// <summary>Null where nothing is called so.</summary>
    private static int[]? Members(string text, IReadOnlyList<string> classes)
    {
        text = text.Trim();
        if (text.Split("..") is { Length: 1 or 2 } ends && ends.All(end => int.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            var (first, last) = (int.Parse(ends[0], CultureInfo.InvariantCulture), int.Parse(ends[^1], CultureInfo.InvariantCulture));
            return first <= last && last < classes.Count
                ? [.. Enumerable.Range(first, last - first + 1)]
                : throw Unsuitable($"'{text}' is no range of the model's classes, 0..{classes.Count - 1}.");
        }
        // The whole group before a single class of its name: "crane" stands for both of ImageNet's.
        if (IsImageNet(classes) && WordNetGroups.Find(text) is { } group) return [.. group];
        int[] named = [.. Enumerable.Range(0, classes.Count).Where(index => string.Equals(classes[index], text, StringComparison.OrdinalIgnoreCase))];
        return named.Length > 0 ? named : null;
    }

    private static GraftException NoSuch(string name, IReadOnlyList<string> classes)
    {
        string[] near = IsImageNet(classes) ? [.. WordNetGroups.Near(name)] : [.. classes.Take(10)];
        return Unsuitable(
            $"Neither a class of the model{(IsImageNet(classes) ? " nor a group of WordNet" : "")} is called '{name}'."
            + (near.Length == 0 ? "" : IsImageNet(classes) ? $" Like it: {string.Join(", ", near)}." : $" It has {string.Join(", ", near)}{(classes.Count > 10 ? " and others" : "")}."));
    }

    private static bool IsImageNet(IReadOnlyList<string> classes) => classes.SequenceEqual(ClassNames.ImageNet);

    private static string[] Lines(string file) =>
        [.. RegularFile.ReadAllLines(file).Select(line => line.Trim()).Where(line => line.Length > 0 && !line.StartsWith('#'))];

    private static GraftException Unsuitable(string problem) => new(problem) { Code = "unsuitable-classes" };
}
