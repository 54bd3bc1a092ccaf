namespace Graft.Runs;

/// <summary>A request in the words of the command line.</summary>
internal static class RequestCommand
{
    public static string Of(TrainingRequest request)
    {
        var words = new List<string>();
        if (request.Photos is { } photos) words.Add(photos);
        if (request.Backbones is not null) words.AddRange(["--backbone", request.Backbone]);
        foreach (var (option, value) in NetworkOptions(request)) words.AddRange([option, value]);
        foreach (var setting in Said(request))
        {
            words.Add(setting.Option);
            if (!setting.Declared.IsNegative) words.Add(Text(setting, request));
        }
        return Quoted(words);
    }

    /// <summary>By option, with their values.</summary>
    public static IReadOnlyDictionary<string, string> OptionsOf(TrainingRequest request)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        if (request.Backbones is not null) options["--backbone"] = request.Backbone;
        foreach (var group in NetworkOptions(request).GroupBy(pair => pair.Option, pair => pair.Value, StringComparer.Ordinal))
            options[group.Key] = string.Join(' ', group);
        foreach (var setting in Said(request)) options[setting.Option] = setting.Declared.IsNegative ? "yes" : Text(setting, request);
        return options;
    }

    /// <summary>The same of a command line.</summary>
    public static IReadOnlyDictionary<string, string> OptionsIn(IReadOnlyList<string> arguments)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        var name = "";
        foreach (var word in arguments.SkipWhile(word => !word.StartsWith("--", StringComparison.Ordinal)))
        {
            if (word.StartsWith("--", StringComparison.Ordinal)) options.TryAdd(name = word, "");
            else options[name] = options[name].Length == 0 ? word : $"{options[name]} {word}";
        }
        return options.ToDictionary(option => option.Key, option => option.Value.Length == 0 ? "yes" : option.Value, StringComparer.Ordinal);
    }

    public static string Quoted(IReadOnlyList<string> words) => string.Join(' ', words.Prepend("train").Prepend("graft").Select(Quoted));

    private static IEnumerable<Setting> Said(TrainingRequest request) => Setting.All.Where(setting =>
        setting.Name != nameof(TrainingRequest.Photos) && setting.ValueIn(request) is { } value && !(setting.Declared.IsNegative && value is true));

    private static string Text(Setting setting, TrainingRequest request) => setting.ValueIn(request) switch
    {
        double.PositiveInfinity => "auto",
        bool value => value ? "true" : "false",
        IEnumerable<int> values => string.Join(',', values),
        Enum value => LowerCase.Policy.ConvertName(value.ToString()),
        var value => DeclaredRanges.Text(value),
    };

    private static IEnumerable<(string Option, string Value)> NetworkOptions(TrainingRequest request)
    {
        var backbones = request.Backbones ?? [];
        foreach (var backbone in backbones)
        {
            var prefix = backbones.Count > 1 ? $"{backbone.Name}=" : "";
            if (backbone.Weights is { } weights) yield return ("--weights", prefix + weights);
            if (backbone.Size is { } size) yield return ("--size", prefix + DeclaredRanges.Text(size));
            if (backbone.Preprocessing is { } mode) yield return ("--preprocessing", prefix + mode);
            if (backbone.Fit is { } fit) yield return ("--fit", prefix + LowerCase.Policy.ConvertName(fit.ToString()));
            if (backbone.Layer is { } layer) yield return ("--layer", prefix + layer);
        }
    }

    /// <summary>As a POSIX shell reads it back; a word of plain letters stays as it is.</summary>
    private static string Quoted(string word) =>
        word.Length > 0 && word.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./:=,+@%".Contains(letter, StringComparison.Ordinal))
            ? word
            : $"'{word.Replace("'", @"'\''", StringComparison.Ordinal)}'";
}
